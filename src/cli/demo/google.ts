import path from 'node:path';
import type { TokenSource } from '../../google/access-token.ts';
import * as sample from '../../main/sample/google.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { AccessPurpose, ServiceAccountKey } from '../../shared/key.ts';
import { valueOf } from '../exit.ts';

export {
  INPUT,
  INPUT_BUCKET,
  OUTPUT,
  OUTPUT_BUCKET,
  TRAINER,
  TRAINER_GRANTS,
} from '../../main/sample/google.ts';

/** The embedded Google of one demo: a child process, gone with `stop` and with this process. */
export interface DemoGoogle extends Pick<
  sample.EmbeddedGoogle,
  'url' | 'environment' | 'endpoints' | 'stop'
> {
  /** What `trainyard emulator` is given to start it again on the same objects. */
  readonly args: readonly string[];
  readonly keyFiles: { readonly trainer: string; readonly reader: string; readonly setup: string };
}

/** Starts it with its objects and key files below `folder`. Three accounts: the trainer, a reader of the output, and one for the set-up. */
export async function startDemoGoogle(emulator: string, folder: string): Promise<DemoGoogle> {
  const keyFiles = {
    trainer: path.join(folder, 'trainer.json'),
    reader: path.join(folder, 'reader.json'),
    setup: path.join(folder, 'setup.json'),
  };
  const reads = {
    role: 'roles/storage.objectViewer',
    bucket: sample.OUTPUT_BUCKET,
    condition: null,
  };
  const args = [
    ...['--dir', path.join(folder, 'objects'), '--project', sample.PROJECT],
    ...Object.values(keyFiles).flatMap((file) => ['--account', file]),
    ...['--admin', sample.emailOf('setup')],
    ...sample.grantOptions(sample.TRAINER, sample.TRAINER_GRANTS),
    ...sample.grantOptions(sample.emailOf('reader'), [reads]),
  ];
  const google = valueOf(
    await sample.startEmbeddedGoogle({
      node: process.execPath,
      emulator,
      args: ['--port', '0', ...args],
      env: process.env,
    }),
  );
  return { ...google, args: ['--port', String(google.port), ...args], keyFiles };
}

/** Reads a key file of the demo. */
export const readKey = async (
  file: string,
  endpoints: GoogleEndpoints,
): Promise<ServiceAccountKey> => valueOf(await sample.readKey(file, endpoints));

export const accountTokens = async (
  file: string,
  purpose: AccessPurpose,
  endpoints: GoogleEndpoints,
): Promise<TokenSource> => valueOf(await sample.accountTokens(file, purpose, endpoints));

/** One request of the JSON API. The demo's own set-up must work. */
export const request = async (tokens: TokenSource, address: string): Promise<Response> =>
  valueOf(await sample.request(tokens, address));

/** Makes a bucket through the API, as anybody would. */
export const createBucket = async (
  google: Pick<DemoGoogle, 'url'>,
  tokens: TokenSource,
  name: string,
): Promise<void> => valueOf(await sample.createBucket(google, tokens, name));
