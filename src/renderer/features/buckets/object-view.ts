import { create } from 'zustand';
import type { OBJECT_COLUMNS } from '../../../shared/columns.ts';
import type { Row } from './rows.ts';

export type ObjectColumn = (typeof OBJECT_COLUMNS)[number];

export interface ObjectOrder {
  readonly column: ObjectColumn;
  readonly descending: boolean;
}

/** As Cloud Storage lists. */
const FIRST_ORDER: ObjectOrder = { column: 'name', descending: false };

interface ObjectView {
  /** Columns that are not shown. */
  readonly hidden: readonly ObjectColumn[];
  readonly order: ObjectOrder;
  readonly orderBy: (column: ObjectColumn) => void;
  readonly toggle: (column: ObjectColumn) => void;
}

/** How the table of objects is shown, in every place. */
export const useObjectView = create<ObjectView>((set) => ({
  hidden: ['type'],
  order: FIRST_ORDER,
  orderBy: (column) =>
    set(({ order }) => ({
      order:
        order.column === column
          ? { column, descending: !order.descending }
          : { column, descending: column === 'size' || column === 'changed' },
    })),
  toggle: (column) =>
    set(({ hidden }) => ({
      hidden: hidden.includes(column)
        ? hidden.filter((one) => one !== column)
        : [...hidden, column],
    })),
}));

/** Whether an order is the bucket's own, in which pages come. */
export const isBucketOrder = ({ column, descending }: ObjectOrder): boolean =>
  column === 'name' && !descending;

/** What a row says in a column, to be compared; a folder says nothing but its name. */
function keyOf(row: Row, column: ObjectColumn): string | number {
  if (row.kind === 'folder') return column === 'size' ? -1 : '';
  const { size, updated, contentType } = row.object;
  return column === 'size' ? (size ?? -0.5) : column === 'changed' ? updated : (contentType ?? '');
}

/** Rows that come in the bucket's order in another one. Those that are alike stay in the bucket's. Pure. */
export function sortRows(
  rows: readonly Row[],
  { column, descending }: ObjectOrder,
): readonly Row[] {
  if (column === 'name') return descending ? rows.toReversed() : rows;
  const sign = descending ? -1 : 1;
  return rows
    .map((row) => ({ row, key: keyOf(row, column) }))
    .sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : 0))
    .map(({ row }) => row);
}
