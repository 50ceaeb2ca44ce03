import { create } from 'zustand';
import type { LogSource } from '../../../shared/ipc.ts';
import type { JobAction } from './job-actions-model.ts';
import type { Tab } from './job-view-model.ts';
import {
  FIRST_ORDER,
  orderAfter,
  type Column,
  type Filter,
  type Order,
} from './list/job-list-model.ts';

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
  /** What is to be done with a job once it is shown, as if its button were pressed. */
  readonly asked: { readonly job: string; readonly action: JobAction } | null;
  readonly askFor: (asked: View['asked']) => void;
  /** The id of the job that the question is about whether to stop it; null: there is none. */
  readonly stopping: string | null;
  readonly askToStop: (stopping: string | null) => void;
  /** Null: whichever is the first of the list. */
  readonly select: (id: string | null) => void;
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
  asked: null,
  askFor: (asked) => set({ asked }),
  stopping: null,
  askToStop: (stopping) => set({ stopping }),
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
