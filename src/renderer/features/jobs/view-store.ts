import { create } from 'zustand';
import type { LogSource } from '../../../shared/ipc.ts';
import {
  FIRST_ORDER,
  orderAfter,
  type Column,
  type Filter,
  type Order,
} from './list/job-list-model.ts';

export const TABS = ['logs', 'charts', 'timeline', 'files', 'spec'] as const;
export type Tab = (typeof TABS)[number];

/** What the user looks at. Jobs themselves are in the queries. */
interface View {
  /** Null: the first of the list. */
  readonly selected: string | null;
  /** Whose log; null: told from the job. */
  readonly source: LogSource | null;
  readonly tab: Tab;
  readonly filter: Filter;
  readonly search: string;
  readonly order: Order;
  /** Columns of the list that are not shown. */
  readonly hidden: readonly Column[];
  readonly select: (id: string) => void;
  readonly chooseSource: (source: LogSource) => void;
  readonly chooseTab: (tab: Tab) => void;
  readonly chooseFilter: (filter: Filter) => void;
  readonly searchFor: (search: string) => void;
  readonly orderBy: (column: Column) => void;
  readonly toggleColumn: (column: Column) => void;
}

export const useView = create<View>((set) => ({
  selected: null,
  source: null,
  tab: 'logs',
  filter: 'all',
  search: '',
  order: FIRST_ORDER,
  hidden: [],
  select: (selected) => set({ selected, source: null }),
  /** Choosing whose log means wanting to see it. */
  chooseSource: (source) => set({ source, tab: 'logs' }),
  chooseTab: (tab) => set({ tab }),
  chooseFilter: (filter) => set({ filter }),
  searchFor: (search) => set({ search }),
  orderBy: (column) => set(({ order }) => ({ order: orderAfter(order, column) })),
  toggleColumn: (column) =>
    set(({ hidden }) => ({
      hidden: hidden.includes(column)
        ? hidden.filter((one) => one !== column)
        : [...hidden, column],
    })),
}));
