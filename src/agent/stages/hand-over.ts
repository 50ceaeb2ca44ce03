import { formatServiceAccountFile } from '../../google/service-account-file.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { placeCloudSdkConfig, placeKeyFile } from '../private-folder.ts';
import type { JobRun } from '../run.ts';
import type { TokenServer } from '../token-server/server.ts';

/** What the processes of a job get of its keys. */
export interface Handed {
  readonly cloudSdkConfig: string;
  readonly keyFile: string | null;
  readonly tokenPort: number | null;
}

/** Puts in place what the plan hands over to setup and workers: the key file, and a private configuration folder for gcloud always. Errors: `access.key-missing`. */
export function handOver(run: JobRun, tokens: TokenServer | null): Result<Handed> {
  const choice = run.plan.workerKeys[0];
  if (choice === undefined || choice.mode !== 'key-file')
    return ok({
      cloudSdkConfig: placeCloudSdkConfig(run.directory),
      keyFile: null,
      tokenPort: tokens?.port ?? null,
    });
  const key = run.keys.get(choice.account.keyId);
  if (key === undefined)
    return fail(
      problem({
        code: 'access.key-missing',
        op: 'hand the key over',
        subject: choice.account.email,
        message: `The agent was not given the key of ${choice.account.email}, which the workers are to get as a file.`,
        hint: 'Start the run again with a Trainyard that has the key, of the same version.',
      }),
    );
  const { endpoints } = run.plan;
  const text = formatServiceAccountFile(
    key,
    endpoints.emulated ? { tokenUri: endpoints.oauthToken } : {},
  );
  return ok({ ...placeKeyFile(run.directory, text), tokenPort: null });
}
