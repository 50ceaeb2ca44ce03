import { formatCount } from '../../shared/format.ts';
import { MAX_WORKERS } from '../../shared/job-spec.ts';
import { STOP_SIGNALS } from '../../shared/stop-signals.ts';

/** What each field of the job file may hold, in words. `*` stands for any name or number. */
export const ALLOWED: Readonly<Record<string, string>> = {
  '': 'a mapping with at least name, host, code and workers',
  name: 'letters, digits, ".", "_" and "-", beginning with a letter or digit, at most 63 characters',
  kind: 'training',
  host: 'the name of a host: local',
  resources: 'a mapping such as { gpus: 1 }',
  'resources.gpus': 'a whole number from 0 to 64: the cards of each worker',
  'resources.useBusy': 'true or false: also cards that others use',
  'resources.gpuIds': 'uuid or index: how CUDA_VISIBLE_DEVICES names the cards',
  code: 'a mapping: { dir: FOLDER }, { git: ADDRESS, ref: BRANCH-TAG-OR-COMMIT } or { gcs: gs://BUCKET/PATH, key: NAME }',
  'code.dir': 'the path of a folder',
  'code.git': 'the address of a git repository',
  'code.ref': 'a branch, a tag or a commit',
  'code.gcs': 'an address such as gs://bucket/code.tar.gz',
  'code.key': 'the name of a key: see trainyard keys list',
  setup: 'a command that runs once, when the input is there, before the workers',
  workers: `a list of 1 to ${formatCount(MAX_WORKERS)} commands, one for each worker`,
  'workers.*': 'a command',
  env: 'a mapping of names to texts',
  'env.*': 'a text in quotes',
  input: 'a mapping: { gcs: gs://BUCKET/PATH, key: NAME } or { dir: FOLDER }',
  'input.gcs': 'an address such as gs://bucket/path',
  'input.key': 'the name of a key: see trainyard keys list',
  'input.dir': 'the path of a folder',
  output: 'a mapping: { gcs: gs://BUCKET/PATH, key: NAME }',
  'output.gcs': 'an address such as gs://bucket/path',
  'output.key': 'the name of a key: see trainyard keys list',
  'output.archive': 'true or false',
  'output.layout': 'per-run or exact',
  'output.exclude':
    'a list of patterns as .gitignore has them, below each output folder: [ wandb/, "*.tmp" ]',
  'output.exclude.*': 'a pattern as .gitignore has them, such as "*.tmp"',
  workerKeys: 'a list of at most one entry: [ { key: NAME, mode: token } ]',
  'workerKeys.*': 'a mapping: { key: NAME, mode: token, account-token or key-file }',
  'workerKeys.*.key': 'the name of a key: see trainyard keys list',
  'workerKeys.*.mode': 'token, account-token or key-file',
  stop: 'a mapping such as { signal: SIGINT, grace: 60s }',
  'stop.signal': STOP_SIGNALS.join(', '),
  'stop.grace': 'a time from 1s to 1h, such as 60s or 5m',
  unattended: 'true or false',
};

export type FieldPath = readonly (string | number)[];

/** The entry of {@link ALLOWED} for a path. Pure. */
export function fieldKey(path: FieldPath): string {
  return path
    .map((part, index) =>
      typeof part === 'number' || (index > 0 && path[0] === 'env') ? '*' : part,
    )
    .join('.');
}

export function allowedAt(path: FieldPath): string | undefined {
  return ALLOWED[fieldKey(path)];
}

/** The names that a mapping at a path may have. Pure. */
export function fieldsBelow(path: FieldPath): readonly string[] {
  const base = fieldKey(path);
  const depth = path.length;
  return Object.keys(ALLOWED)
    .filter((key) => key !== '' && (base === '' || key.startsWith(`${base}.`)))
    .map((key) => key.split('.'))
    .filter((parts) => parts.length === depth + 1)
    .flatMap((parts) => {
      const last = parts.at(-1);
      return last === undefined || last === '*' ? [] : [last];
    });
}

/** `workers[1]`, `output.gcs`. Pure. */
export function showPath(path: FieldPath): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`,
    '',
  );
}

/** The known name that was probably meant, or null. Pure. */
export function didYouMean(name: string, known: readonly string[]): string | null {
  const near = known
    .map((candidate) => ({
      candidate,
      distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
    }))
    .sort((a, b) => a.distance - b.distance)[0];
  if (near === undefined) return null;
  return near.distance <= Math.max(1, Math.floor(near.candidate.length / 3))
    ? near.candidate
    : null;
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn one text into the other. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const at = (r: number, c: number): number => (r === i ? row[c] : rows[r]?.[c]) ?? 0;
      let best = Math.min(
        at(i - 1, j) + 1,
        at(i, j - 1) + 1,
        at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, at(i - 2, j - 2) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows.at(-1)?.at(-1) ?? 0;
}
