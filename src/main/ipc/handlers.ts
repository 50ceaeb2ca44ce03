import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { CallHandlers, LogSource } from '../../shared/ipc.ts';
import { ok, type Result } from '../../shared/problem.ts';
import type { JobView } from '../../shared/views.ts';

/** What the window needs of the services. */
export interface WindowServices {
  readonly endpoints: GoogleEndpoints;
  readonly jobs: {
    readonly list: () => Promise<readonly JobView[]>;
    readonly stop: (id: string) => Promise<Result<unknown>>;
    readonly retry: (id: string) => Promise<Result<unknown>>;
    readonly readLog: (
      id: string,
      from: { readonly worker: LogSource; readonly offset: number; readonly maxBytes: number },
    ) => Promise<
      Result<{ readonly bytes: Uint8Array; readonly offset: number; readonly size: number }>
    >;
  };
}

export interface HandlerOptions {
  readonly version: string;
  readonly home: string;
  /** The services, or why they could not be opened: then every call answers with that. */
  readonly services: Result<WindowServices>;
}

/** What the main process does for each call of the window. */
export function createHandlers({ version, home, services }: HandlerOptions): CallHandlers {
  if (!services.ok) {
    const refuse = async () => services;
    return {
      about: refuse,
      'jobs-list': refuse,
      'jobs-stop': refuse,
      'jobs-retry': refuse,
      'jobs-read-log': refuse,
    };
  }
  const { jobs, endpoints } = services.value;
  return {
    about: async () =>
      ok({ version, home, storage: endpoints.storage, emulated: endpoints.emulated }),
    'jobs-list': async () => ok([...(await jobs.list())]),
    'jobs-stop': async ({ id }) => withoutValue(await jobs.stop(id)),
    'jobs-retry': async ({ id }) => withoutValue(await jobs.retry(id)),
    'jobs-read-log': async ({ id, source, offset, maxBytes }) => {
      const read = await jobs.readLog(id, { worker: source, offset, maxBytes });
      // A view into a larger buffer would cross with all of it.
      return read.ok ? ok({ ...read.value, bytes: Uint8Array.from(read.value.bytes) }) : read;
    },
  };
}

/** Whatever a service answers with besides success stays in the main process. */
function withoutValue(result: Result<unknown>): Result<undefined> {
  return result.ok ? ok(undefined) : result;
}
