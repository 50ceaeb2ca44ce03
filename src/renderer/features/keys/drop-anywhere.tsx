import { useEffect, useState } from 'react';
import { useNavigation } from '../../app/navigation.ts';
import { receiveFiles } from './arrivals.ts';
import './keys.css';

const bringsFiles = (event: DragEvent): boolean =>
  event.dataTransfer?.types.includes('Files') ?? false;

/**
 * Files dropped anywhere in the window are read as keys, and the Keys screen shows what was found. A place that takes files itself calls
 * `preventDefault` on its drag events; those are left to it.
 */
export function DropAnywhere() {
  const [isOver, setOver] = useState(false);
  const go = useNavigation((navigation) => navigation.go);

  useEffect(() => {
    const over = (event: DragEvent) => {
      const isOurs = !event.defaultPrevented && bringsFiles(event);
      setOver(isOurs);
      if (!isOurs) return;
      event.preventDefault();
      if (event.dataTransfer !== null) event.dataTransfer.dropEffect = 'copy';
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      setOver(false);
      if (event.defaultPrevented || !bringsFiles(event)) return;
      event.preventDefault();
      go({ screen: 'keys' });
      void receiveFiles([...(event.dataTransfer?.files ?? [])]);
    };
    const stopped = new AbortController();
    const { signal } = stopped;
    window.addEventListener('dragenter', over, { signal });
    window.addEventListener('dragover', over, { signal });
    window.addEventListener('dragleave', leave, { signal });
    window.addEventListener('drop', drop, { signal });
    return () => stopped.abort();
  }, [go]);

  if (!isOver) return null;
  return (
    <div className="drop-anywhere" role="status">
      <div className="drop-anywhere-box">
        <strong>Drop the key file</strong>
        <span>Trainyard reads and checks it on this machine. The key itself is sent nowhere.</span>
      </div>
    </div>
  );
}
