import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { FileEntry } from '../../../../shared/ipc/jobs.ts';
import { ask, problemOf } from '../../../client.ts';
import { formatBytes, formatCount, formatTime } from '../../../common/format.ts';

interface FolderProps {
  readonly id: string;
  /** Below the output, with `/`; empty: the output itself. */
  readonly path: string;
  readonly live: boolean;
  readonly now: number;
}

/** What workers wrote, on the host's disk: a folder is read when it is opened. */
export function OutputTree({ id, path, live, now }: FolderProps) {
  const folder = useQuery({
    queryKey: ['job-output', id, path],
    queryFn: () => ask('jobs-output-folder', { id, path }),
    refetchInterval: live ? 5_000 : false,
  });
  if (folder.isPending) return <p className="tab-empty">Reading…</p>;
  if (folder.isError) return <p className="tab-empty">{problemOf(folder.error).message}</p>;
  if (folder.data === null || folder.data.total === 0)
    return <p className="tab-empty">{emptyWords(path, live)}</p>;
  const hidden = folder.data.total - folder.data.entries.length;
  return (
    <ul className="tree">
      {folder.data.entries.map((entry) => (
        <Entry
          key={entry.name}
          id={id}
          path={path === '' ? entry.name : `${path}/${entry.name}`}
          entry={entry}
          live={live}
          now={now}
        />
      ))}
      {hidden > 0 && <li className="tab-empty">and {formatCount(hidden)} more</li>}
    </ul>
  );
}

function emptyWords(path: string, live: boolean): string {
  if (path !== '') return 'Empty.';
  return live ? 'Nothing was written yet.' : 'Nothing was written.';
}

function Entry({ entry, ...folder }: FolderProps & { readonly entry: FileEntry }) {
  const isRoot = !folder.path.includes('/');
  const [isOpen, setOpen] = useState(isRoot && entry.kind === 'folder');
  const cells = (
    <>
      <span className="tree-name" title={entry.name}>
        {entry.name}
        {entry.kind === 'other' && <span className="dimmed"> (link or device)</span>}
      </span>
      <span className="tree-size">{entry.kind === 'file' ? formatBytes(entry.size) : ''}</span>
      <span className="tree-time dimmed" title={entry.changedAt}>
        {formatTime(entry.changedAt, folder.now)}
      </span>
    </>
  );
  if (entry.kind !== 'folder')
    return (
      <li>
        <div className="tree-row">{cells}</div>
      </li>
    );
  return (
    <li>
      <button
        type="button"
        className="tree-row"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        {cells}
      </button>
      {isOpen && <OutputTree {...folder} />}
    </li>
  );
}
