import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, type KeyboardEvent } from 'react';
import type { JobView } from '../../../../shared/views.ts';
import { formatTime } from '../../../common/format.ts';
import { ColumnMenu } from '../../../common/column-menu.tsx';
import { StateLabel } from '../../../common/state-label.tsx';
import { stateLabelOf, tookOf, workersOf } from '../job-view-model.ts';
import type { Column, Order } from './job-list-model.ts';
import { RowProgress } from './row-progress.tsx';

interface JobTableProps {
  readonly jobs: readonly JobView[];
  readonly selected: string | null;
  readonly onSelect: (id: string) => void;
  readonly order: Order;
  readonly onOrder: (column: Column) => void;
  /** Columns that are not shown. */
  readonly hidden: readonly Column[];
  readonly onToggle: (column: Column) => void;
  readonly now: number;
}

/** Pixels. */
const ROW = 28;
const HEAD = 26;

const HEADS: readonly {
  readonly column: Column;
  readonly name: string;
  readonly width?: number;
}[] = [
  { column: 'state', name: 'State', width: 122 },
  { column: 'name', name: 'Name' },
  { column: 'progress', name: 'Progress', width: 204 },
  { column: 'workers', name: 'Workers', width: 92 },
  { column: 'host', name: 'Host', width: 76 },
  { column: 'created', name: 'Created', width: 112 },
  { column: 'took', name: 'Took', width: 104 },
];

/** State and name are always there. */
const CHOICES = HEADS.filter(({ column }) => column !== 'state' && column !== 'name');

/** Where a key leads from a row. */
function targetOf(key: string, row: number, page: number, last: number): number | null {
  switch (key) {
    case 'ArrowDown':
      return Math.min(last, row + 1);
    case 'ArrowUp':
      return Math.max(0, row - 1);
    case 'PageDown':
      return Math.min(last, row + page);
    case 'PageUp':
      return Math.max(0, row - page);
    case 'Home':
      return 0;
    case 'End':
      return last;
    default:
      return null;
  }
}

/** A row a job. Only rows in sight are there: ten thousand cost as much as thirty. */
export function JobTable(props: JobTableProps) {
  const { jobs, selected, onSelect, order, onOrder, hidden, onToggle, now } = props;
  const heads = HEADS.filter(({ column }) => !hidden.includes(column));
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: jobs.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
    scrollPaddingStart: HEAD,
    getItemKey: (index) => jobs[index]?.id ?? index,
  });
  const index = jobs.findIndex((job) => job.id === selected);
  const shown = useRef<string | null>(null);
  useEffect(() => {
    // When another job is chosen, not when the list moves under it.
    if (index < 0 || shown.current === selected) return;
    shown.current = selected;
    rows.scrollToIndex(index, { align: 'auto' });
  }, [index, selected, rows]);

  const move = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / ROW) - 2);
    const target = targetOf(event.key, index, page, jobs.length - 1);
    if (target === null || event.target !== event.currentTarget) return;
    event.preventDefault();
    const next = jobs[target];
    if (next !== undefined) onSelect(next.id);
  };

  const items = rows.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = rows.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <div
      ref={box}
      className="job-table"
      tabIndex={0}
      data-screen-focus
      onKeyDown={move}
      role="group"
      aria-label="Jobs"
    >
      <table role="grid" aria-rowcount={jobs.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {heads.map(({ column, name, width }) => (
              <th
                key={column}
                data-column={column}
                style={width === undefined ? undefined : { width }}
                aria-sort={
                  order.column !== column
                    ? undefined
                    : order.descending
                      ? 'descending'
                      : 'ascending'
                }
              >
                <button type="button" onClick={() => onOrder(column)}>
                  {name}
                  <span aria-hidden>
                    {order.column !== column ? '' : order.descending ? ' ↓' : ' ↑'}
                  </span>
                </button>
              </th>
            ))}
            <th className="column-menu-cell">
              <ColumnMenu columns={CHOICES} hidden={hidden} onToggle={onToggle} />
            </th>
          </tr>
        </thead>
        <tbody>
          {before > 0 && <tr className="spacer" aria-hidden style={{ height: before }} />}
          {items.map((item) => {
            const job = jobs[item.index];
            return job === undefined ? null : (
              <Row
                key={item.key}
                job={job}
                row={item.index + 2}
                isSelected={job.id === selected}
                onSelect={onSelect}
                hidden={hidden}
                now={now}
              />
            );
          })}
          {after > 0 && <tr className="spacer" aria-hidden style={{ height: after }} />}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  readonly job: JobView;
  readonly row: number;
  readonly isSelected: boolean;
  readonly onSelect: (id: string) => void;
  readonly hidden: readonly Column[];
  readonly now: number;
}

function Row({ job, row, isSelected, onSelect, hidden, now }: RowProps) {
  const shows = (column: Column): boolean => !hidden.includes(column);
  return (
    <tr
      aria-rowindex={row}
      aria-selected={isSelected}
      data-job={job.id}
      onClick={() => onSelect(job.id)}
    >
      <td>
        <StateLabel {...stateLabelOf(job)} />
      </td>
      <td title={`${job.name}\n${job.id}`}>
        {job.kind === 'transfer' && <span className="kind-mark">⇅ transfer</span>}
        {job.kind === 'notebook' && <span className="kind-mark">notebook</span>}
        {job.name}
      </td>
      {shows('progress') && (
        <td>
          <RowProgress job={job} />
        </td>
      )}
      {shows('workers') && <td>{workersOf(job)}</td>}
      {shows('host') && (
        <td data-column="host" title={job.host}>
          {job.host}
        </td>
      )}
      {shows('created') && <td title={job.createdAt}>{formatTime(job.createdAt, now)}</td>}
      {shows('took') && <td>{tookOf(job, now)}</td>}
      <td />
    </tr>
  );
}
