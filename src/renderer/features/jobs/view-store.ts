import { create } from 'zustand';
import type { LogSource } from '../../../shared/ipc.ts';

/** What the user looks at. Jobs themselves are in the queries. */
interface View {
  /** Null: the newest job. */
  readonly selected: string | null;
  /** Whose log; null: told from the job. */
  readonly source: LogSource | null;
  readonly select: (id: string) => void;
  readonly chooseSource: (source: LogSource) => void;
}

export const useView = create<View>((set) => ({
  selected: null,
  source: null,
  select: (selected) => set({ selected, source: null }),
  chooseSource: (source) => set({ source }),
}));
