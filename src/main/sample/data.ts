import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TokenSource } from '../../google/access-token.ts';
import { formatCount } from '../../shared/format.ts';
import { ok, type Problem, type Result } from '../../shared/problem.ts';
import type { Environment } from '../platform/paths.ts';
import {
  createBucket,
  INPUT_BUCKET,
  OUTPUT_BUCKET,
  putObject,
  runToEnd,
  type EmbeddedGoogle,
} from './google.ts';

/** Uploads at the same time. */
const AT_ONCE = 8;
/** A data set that is made and moved in seconds, and large enough to learn from. */
const SAMPLES = 1_500;
const UNLABELLED_MIB = 12;

/** Makes the two buckets and a data set of handwritten digits in the first. `folder` is for the data on its way; it is removed. */
export async function makeSampleData(options: {
  readonly google: Pick<EmbeddedGoogle, 'url'>;
  readonly tokens: TokenSource;
  readonly node: string;
  /** examples/digits. */
  readonly code: string;
  readonly folder: string;
  readonly env: Environment;
  readonly onStep: (step: string) => void;
}): Promise<Result<void>> {
  const { google, tokens, node, code, folder, env, onStep } = options;
  onStep('Two buckets are made');
  for (const name of [INPUT_BUCKET, OUTPUT_BUCKET]) {
    const made = await createBucket(google, tokens, name);
    if (!made.ok) return made;
  }
  onStep('A data set of handwritten digits is drawn');
  const sizes = ['--samples', String(SAMPLES), '--unlabelled-mib', String(UNLABELLED_MIB)];
  const script = join(code, 'make-data.js');
  try {
    const drawn = await runToEnd(node, [script, folder, ...sizes], { env });
    if (!drawn.ok) return drawn;
    return await putFolder(google, tokens, folder, (done, all) =>
      onStep(
        `The data set goes to its bucket: ${formatCount(done)} of ${formatCount(all)} objects`,
      ),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function putFolder(
  google: Pick<EmbeddedGoogle, 'url'>,
  tokens: TokenSource,
  folder: string,
  onProgress: (done: number, all: number) => void,
): Promise<Result<void>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const waiting = [...files];
  const problems: Problem[] = [];
  let done = 0;
  const lane = async (): Promise<void> => {
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      const name = `data/${file.slice(folder.length + 1).replaceAll('\\', '/')}`;
      const bytes = new Uint8Array(await readFile(file));
      const put = await putObject(google, tokens, { bucket: INPUT_BUCKET, name, bytes });
      if (!put.ok) {
        problems.push(put.problem);
        return;
      }
      done += 1;
      if (done % 100 === 0) onProgress(done, files.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const [first] = problems;
  return first === undefined ? ok() : { ok: false, problem: first };
}
