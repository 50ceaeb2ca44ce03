import { create } from 'zustand';
import type { KeyCandidate } from '../../../shared/ipc/keys.ts';
import type { KeyCard } from '../../../shared/key.ts';
import type { Problem } from '../../../shared/problem.ts';
import { ask, problemOf } from '../../client.ts';

/** Key files that were dropped, picked or pasted, and what became of each. They stay while the window is open, whatever screen is shown. */

/** More files at once are a mistake of the hand. */
const FILES_AT_ONCE = 20;

/** The key that the user wants to put another in the place of. */
export type Replacing = Pick<KeyCard, 'id' | 'name' | 'email'>;

export type ArrivalState =
  | { readonly kind: 'reading' }
  | { readonly kind: 'refused'; readonly problem: Problem }
  | {
      readonly kind: 'found';
      readonly candidate: KeyCandidate;
      readonly replacing: Replacing | null;
    }
  | { readonly kind: 'kept'; readonly candidate: KeyCandidate; readonly card: KeyCard };

export interface Arrival {
  readonly id: number;
  /** The file's name, or `the clipboard`. */
  readonly name: string;
  readonly state: ArrivalState;
}

interface Arrivals {
  readonly list: readonly Arrival[];
  readonly set: (id: number, name: string, state: ArrivalState) => void;
  readonly dismiss: (id: number) => void;
  /** The id of the key that the screen shows; null: the first. */
  readonly chosen: string | null;
  readonly choose: (id: string) => void;
}

/** Puts an arrival in its place in the list, a new one at the front. Pure. */
export function withArrival(list: readonly Arrival[], arrival: Arrival): readonly Arrival[] {
  return list.some(({ id }) => id === arrival.id)
    ? list.map((known) => (known.id === arrival.id ? arrival : known))
    : [arrival, ...list];
}

export const useArrivals = create<Arrivals>((set, get) => ({
  list: [],
  chosen: null,
  choose: (chosen) => set({ chosen }),
  set: (id, name, state) => set({ list: withArrival(get().list, { id, name, state }) }),
  dismiss: (id) => {
    const gone = get().list.find((arrival) => arrival.id === id);
    if (gone?.state.kind === 'found' || gone?.state.kind === 'kept')
      void ask('keys-discard', { handle: gone.state.candidate.handle }).catch(() => undefined);
    set({ list: get().list.filter((arrival) => arrival.id !== id) });
  },
}));

let lastId = 0;

async function receive(
  name: string,
  read: () => Promise<KeyCandidate>,
  replacing: Replacing | null,
): Promise<void> {
  lastId += 1;
  const id = lastId;
  const { set } = useArrivals.getState();
  set(id, name, { kind: 'reading' });
  try {
    const candidate = await read();
    set(id, candidate.name, { kind: 'found', candidate, replacing });
  } catch (error) {
    set(id, name, { kind: 'refused', problem: problemOf(error) });
  }
}

function refuse(name: string, message: string, hint: string): void {
  lastId += 1;
  useArrivals.getState().set(lastId, name, {
    kind: 'refused',
    problem: {
      code: 'input.key-drop',
      op: 'read the key file',
      subject: name,
      message,
      hint,
      retryable: false,
    },
  });
}

const fileName = (path: string): string => path.split(/[/\\]/).at(-1) ?? path;

export async function receivePaths(
  paths: readonly string[],
  replacing: Replacing | null = null,
): Promise<void> {
  const taken = paths.slice(0, FILES_AT_ONCE);
  await Promise.all(
    taken.map((path) => receive(fileName(path), () => ask('keys-read-file', { path }), replacing)),
  );
  if (paths.length > taken.length)
    refuse(
      `${paths.length - taken.length} more files`,
      `${FILES_AT_ONCE} files are read at once; ${paths.length - taken.length} more were left alone.`,
      'Drop them again by themselves.',
    );
}

/** Files as a drop brings them. The main process reads them; the page knows nothing but where they lie. */
export async function receiveFiles(files: readonly File[]): Promise<void> {
  const placed = files.map((file) => ({ name: file.name, path: window.trainyard.pathOf(file) }));
  for (const { name } of placed.filter(({ path }) => path === ''))
    refuse(
      name,
      `"${name}" was not dropped from a folder.`,
      'Save it as a file first, then drop it here.',
    );
  await receivePaths(placed.flatMap(({ path }) => (path === '' ? [] : [path])));
}

export const receiveClipboard = (): Promise<void> =>
  receive('the clipboard', () => ask('keys-paste', {}), null);

export async function receivePicked(replacing: Replacing | null = null): Promise<void> {
  await receivePaths(await ask('keys-pick-files', {}), replacing);
}
