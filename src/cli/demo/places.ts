import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { codeOf, reasonOf } from '../../main/platform/paths.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';

/** Where everything of one demo lies: one temporary folder, 0700. The home holds what a user's home would; the rest lies beside it. */
export interface DemoPlaces {
  readonly root: string;
  /** TRAINYARD_HOME of the demo. */
  readonly home: string;
  readonly passphraseFile: string;
  /** Objects and key files of the embedded Google. */
  readonly google: string;
  /** The data set before it is uploaded. */
  readonly dataset: string;
  readonly jobFile: string;
  /** Where the search is proven. */
  readonly planted: string;
  /** The variables that make a Trainyard use home and vault of the demo. */
  readonly environment: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

/** Makes them, in the system's folder for temporary files. Errors: `host.temporary-folder`. */
export async function makePlaces(): Promise<Result<DemoPlaces>> {
  const above = tmpdir();
  try {
    return ok(await placesBelow(above));
  } catch (error) {
    if (codeOf(error) === null) throw error;
    return fail(
      problem({
        code: 'host.temporary-folder',
        op: 'make the folder of the demo',
        subject: above,
        message: `The demo cannot make a folder in ${above}: ${reasonOf(error)}.`,
        hint: 'Set TMPDIR to a folder that is there and that you may write to: TMPDIR=/var/tmp trainyard demo.',
      }),
    );
  }
}

async function placesBelow(above: string): Promise<DemoPlaces> {
  const root = await mkdtemp(path.join(above, 'trainyard-demo-'));
  const at = (name: string) => path.join(root, name);
  const places = {
    root,
    home: at('home'),
    passphraseFile: at('passphrase'),
    google: at('google'),
    dataset: at('dataset'),
    jobFile: at('job.yaml'),
    planted: at('planted'),
  };
  await mkdir(places.home, { mode: 0o700 });
  await mkdir(places.google, { mode: 0o700 });
  await writeFile(places.passphraseFile, `${randomBytes(24).toString('base64url')}\n`, {
    mode: 0o600,
  });
  return {
    ...places,
    environment: {
      TRAINYARD_HOME: places.home,
      TRAINYARD_VAULT: 'passphrase',
      TRAINYARD_PASSPHRASE_FILE: places.passphraseFile,
    },
    remove: () => rm(root, { recursive: true, force: true, maxRetries: 5 }),
  };
}
