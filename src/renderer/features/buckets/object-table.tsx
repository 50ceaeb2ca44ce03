import { useEffect, useId, type CSSProperties, type KeyboardEvent, type ReactNode } from 'react';
import { ColumnMenu } from '../../common/column-menu.tsx';
import { formatBytes, formatTime } from '../../common/format.ts';
import { useObjectView, type ObjectColumn } from './object-view.ts';
import { useFixedRows } from '../../common/use-fixed-rows.ts';
import type { Row } from './rows.ts';

const ROW_HEIGHT = 28;
/** As in buckets.css. */
const HEAD_HEIGHT = 28;
const OVERSCAN = 12;

interface ObjectTableProps {
  readonly label: string;
  readonly count: number;
  /** Null: it is on its way. */
  readonly rowAt: (index: number) => Row | null;
  /** These lines are visible now. */
  readonly onShow?: (first: number, last: number) => void;
  readonly selected: number | null;
  /** Scrolled to when it changes; null: nothing is. */
  readonly reveal?: number | null;
  readonly onSelect: (index: number) => void;
  readonly onOpen: (row: Row) => void;
  readonly onUp: () => void;
  readonly now: number;
  /** Stands below the head while there are no lines. */
  readonly children?: ReactNode;
}

const HEADS: readonly {
  readonly column: ObjectColumn;
  readonly name: string;
  readonly width: string;
}[] = [
  { column: 'name', name: 'Name', width: 'minmax(0, 1fr)' },
  { column: 'type', name: 'Type', width: '132px' },
  { column: 'size', name: 'Size', width: '84px' },
  { column: 'changed', name: 'Changed', width: '112px' },
];
/** The name is always there. */
const CHOICES = HEADS.filter(({ column }) => column !== 'name');

/** Objects and folders, of which only the visible lines are in the page, however many there are. */
export function ObjectTable(props: ObjectTableProps) {
  const { label, count, rowAt, onShow, selected, onSelect, onOpen, onUp, now, children } = props;
  const { reveal = null } = props;
  const { hidden, order, orderBy, toggle } = useObjectView();
  const columns = {
    gridTemplateColumns: HEADS.filter(({ column }) => !hidden.includes(column))
      .map(({ width }) => width)
      .concat('14px')
      .join(' '),
  };
  const id = useId();
  const { box, first, last, height, page, scrollTo } = useFixedRows({
    count,
    row: ROW_HEIGHT,
    head: HEAD_HEIGHT,
    overscan: OVERSCAN,
  });
  useEffect(() => onShow?.(first, last), [onShow, first, last, count]);

  useEffect(() => {
    if (reveal !== null) scrollTo(reveal);
    // Not anew each time the table is drawn.
    // eslint-disable-next-line react-hooks/exhaustive-deps -- as said above
  }, [reveal]);

  const choose = (index: number): void => {
    const next = Math.max(0, Math.min(count - 1, index));
    onSelect(next);
    scrollTo(next);
  };
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
    if (event.target !== event.currentTarget) return;
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
      <div className="objects-head" role="row" aria-rowindex={1} style={columns}>
        {HEADS.filter(({ column }) => !hidden.includes(column)).map(({ column, name }) => (
          <span
            key={column}
            role="columnheader"
            className={column === 'size' ? 'objects-number' : undefined}
            aria-sort={
              order.column !== column ? undefined : order.descending ? 'descending' : 'ascending'
            }
          >
            <button type="button" onClick={() => orderBy(column)}>
              {name}
              <span aria-hidden>
                {order.column !== column ? '' : order.descending ? ' ↓' : ' ↑'}
              </span>
            </button>
          </span>
        ))}
        <span role="columnheader" aria-label="Columns">
          <ColumnMenu columns={CHOICES} hidden={hidden} onToggle={toggle} />
        </span>
      </div>
      {count === 0 ? (
        children
      ) : (
        <div role="presentation" style={{ height: height, position: 'relative' }}>
          {Array.from({ length: last - first + 1 }, (_, at) => first + at).map((index) => (
            <ObjectRow
              key={index}
              id={`${id}-${index}`}
              index={index}
              top={index * ROW_HEIGHT}
              row={rowAt(index)}
              columns={columns}
              hidden={hidden}
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
  readonly columns: CSSProperties;
  readonly hidden: readonly ObjectColumn[];
  readonly isSelected: boolean;
  readonly now: number;
  readonly onSelect: (index: number) => void;
  readonly onOpen: (row: Row) => void;
}

const FOLDER = 'M1 3h5l1.5 2H15v8H1z';
const OBJECT = 'M3 1h7l3 3v11H3z';

function ObjectRow(props: ObjectRowProps) {
  const { id, index, top, row, columns, hidden, isSelected, now, onSelect, onOpen } = props;
  const object = row?.kind === 'object' ? row.object : null;
  return (
    <div
      id={id}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      className="objects-row"
      style={{ ...columns, transform: `translateY(${top}px)` }}
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
          {!hidden.includes('type') && (
            <span role="gridcell" className="objects-type dimmed" title={object?.contentType ?? ''}>
              {object?.contentType ?? ''}
            </span>
          )}
          {!hidden.includes('size') && (
            <span role="gridcell" className="objects-number">
              {object === null ? '' : object.size === null ? 'not told' : formatBytes(object.size)}
            </span>
          )}
          {!hidden.includes('changed') && (
            <span role="gridcell" className="dimmed">
              {object === null ? '' : formatTime(object.updated, now)}
            </span>
          )}
        </>
      )}
    </div>
  );
}
