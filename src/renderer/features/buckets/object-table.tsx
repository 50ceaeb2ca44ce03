import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useId, useRef, type KeyboardEvent, type ReactNode } from 'react';
import { formatBytes, formatTime } from '../../common/format.ts';
import type { Row } from './rows.ts';

const ROW_HEIGHT = 28;
const OVERSCAN = 12;

interface ObjectTableProps {
  readonly label: string;
  readonly count: number;
  /** Null: it is on its way. */
  readonly rowAt: (index: number) => Row | null;
  /** These lines are visible now. */
  readonly onShow?: (first: number, last: number) => void;
  readonly selected: number | null;
  readonly onSelect: (index: number) => void;
  readonly onOpen: (row: Row) => void;
  readonly onUp: () => void;
  readonly now: number;
  /** Stands below the head while there are no lines. */
  readonly children?: ReactNode;
}

/** Objects and folders, of which only the visible lines are in the page, however many there are. */
export function ObjectTable(props: ObjectTableProps) {
  const { label, count, rowAt, onShow, selected, onSelect, onOpen, onUp, now, children } = props;
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
  });
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => onShow?.(first, last), [onShow, first, last, count]);

  const choose = (index: number): void => {
    const next = Math.max(0, Math.min(count - 1, index));
    onSelect(next);
    virtual.scrollToIndex(next);
  };
  const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / ROW_HEIGHT) - 2);
  const onKeyDown = (event: KeyboardEvent): void => {
    const from = selected ?? -1;
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => choose(from + 1),
      ArrowUp: () => choose(from - 1),
      PageDown: () => choose(from + page),
      PageUp: () => choose(from - page),
      Home: () => choose(0),
      End: () => choose(count - 1),
      Backspace: onUp,
      Enter: () => {
        const row = selected === null ? null : rowAt(selected);
        if (row !== null) onOpen(row);
      },
    };
    const move = moves[event.key];
    if (move === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (count > 0 || event.key === 'Backspace') move();
  };

  return (
    <div
      ref={box}
      className="objects"
      role="grid"
      aria-label={label}
      aria-rowcount={count + 1}
      aria-activedescendant={
        selected !== null && selected >= first && selected <= last ? `${id}-${selected}` : undefined
      }
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <div className="objects-head" role="row" aria-rowindex={1}>
        <span role="columnheader">Name</span>
        <span role="columnheader" className="objects-number">
          Size
        </span>
        <span role="columnheader">Changed</span>
      </div>
      {count === 0 ? (
        children
      ) : (
        <div role="presentation" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {items.map(({ index, start }) => (
            <ObjectRow
              key={index}
              id={`${id}-${index}`}
              index={index}
              top={start}
              row={rowAt(index)}
              isSelected={index === selected}
              now={now}
              onSelect={onSelect}
              onOpen={onOpen}
            />
          ))}
        </div>
      )}
    </div>
  );
}

interface ObjectRowProps {
  readonly id: string;
  readonly index: number;
  /** Pixels. */
  readonly top: number;
  readonly row: Row | null;
  readonly isSelected: boolean;
  readonly now: number;
  readonly onSelect: (index: number) => void;
  readonly onOpen: (row: Row) => void;
}

const FOLDER = 'M1 3h5l1.5 2H15v8H1z';
const OBJECT = 'M3 1h7l3 3v11H3z';

function ObjectRow({ id, index, top, row, isSelected, now, onSelect, onOpen }: ObjectRowProps) {
  return (
    <div
      id={id}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      className="objects-row"
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => onSelect(index)}
      onDoubleClick={() => row !== null && onOpen(row)}
    >
      {row === null ? (
        <span role="gridcell" className="dimmed">
          …
        </span>
      ) : (
        <>
          <span role="gridcell" className="objects-name" title={row.label}>
            <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden>
              <path
                d={row.kind === 'folder' ? FOLDER : OBJECT}
                fill={row.kind === 'folder' ? 'currentColor' : 'none'}
                stroke="currentColor"
                strokeWidth="1.4"
              />
            </svg>
            <span className="objects-label">{row.label}</span>
          </span>
          <span role="gridcell" className="objects-number">
            {row.kind === 'object' ? formatBytes(row.object.size) : ''}
          </span>
          <span role="gridcell" className="dimmed">
            {row.kind === 'object' ? formatTime(row.object.updated, now) : ''}
          </span>
        </>
      )}
    </div>
  );
}
