import { describe, expect, it } from 'vitest';
import { createHandlers } from '../../src/main/ipc/handlers.ts';
import type { WindowShell } from '../../src/main/ipc/window-shell.ts';
import { pathsBelow } from '../../src/main/platform/paths.ts';
import type { Services } from '../../src/main/services.ts';
import { GOOGLE_ENDPOINTS } from '../../src/shared/endpoints.ts';
import { CALL_NAMES, CALLS, EVENT_NAMES, jobViewSchema } from '../../src/shared/ipc.ts';
import { initialStatus } from '../../src/shared/job-status.ts';
import { fail, ok, problem } from '../../src/shared/problem.ts';
import type { JobView } from '../../src/shared/views.ts';

const NO_SUCH_JOB = problem({
  code: 'input.no-such-job',
  op: 'find the job',
  subject: 'x',
  message: 'There is no job x.',
});

const job: JobView = {
  id: '20261121-090000-aaaaaa',
  name: 'sweep',
  kind: 'training',
  host: 'local',
  createdAt: '2026-11-21T09:00:00.000Z',
  state: 'queued',
  agent: null,
  workers: initialStatus(2).workers,
  runDirectory: '/home/runs/x',
  output: null,
  status: initialStatus(2),
};

/** The part of the services that the calls tried here use. */
function services(log: Uint8Array): Services {
  const part = {
    endpoints: GOOGLE_ENDPOINTS,
    jobs: {
      list: async () => [job],
      stop: async () => ok(),
      retry: async () => fail(NO_SUCH_JOB),
      readLog: async (_id: string, { offset }: { readonly offset: number }) =>
        ok({ bytes: log, offset, size: 10 }),
    },
  };
  return part as unknown as Services;
}

describe('the door', () => {
  it('has a name for each channel that says what it is', () => {
    for (const name of [...CALL_NAMES, ...EVENT_NAMES]) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(CALL_NAMES).toContain('jobs-list');
    expect(EVENT_NAMES.length).toBeGreaterThan(0);
  });
});

describe('arguments', () => {
  it('are refused where they are not as declared', () => {
    const read = CALLS['jobs-read-log'].args;
    const good = { id: 'x', source: 0, offset: 0, maxBytes: 1 };
    expect(read.safeParse(good).success).toBe(true);
    expect(read.safeParse({ ...good, source: 'stage' }).success).toBe(true);
    for (const bad of [
      { ...good, source: 'agent' },
      { ...good, source: -1 },
      { ...good, source: 1.5 },
      { ...good, offset: -1 },
      { ...good, maxBytes: 0 },
      { ...good, maxBytes: 2 ** 21 },
      { ...good, id: '' },
      { ...good, id: 'x'.repeat(500) },
      { ...good, more: true },
      undefined,
    ])
      expect(read.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
  });
});

describe('values', () => {
  it('lose what the contract does not name', () => {
    const seen = jobViewSchema.parse({ ...job, privateKey: 'secret' });
    expect(seen).toEqual(job);
  });
});

describe('handlers', () => {
  const shell: WindowShell = {
    push: () => undefined,
    pick: async () => [],
    readClipboard: async () => '',
    clearClipboard: async () => undefined,
    moveToTrash: async () => undefined,
    openFolder: async () => null,
    openNotebook: async () => ok(),
    saveAs: async () => null,
    firstPlace: () => null,
    keepPlace: () => undefined,
    stopAsked: () => undefined,
    hasTray: false,
    applyPreferences: () => undefined,
  };
  const options = { version: '1.2.3', home: '/home', shell };

  it('answer with what the services say', async () => {
    const handlers = createHandlers({ ...options, services: ok(services(new Uint8Array(0))) });
    expect(await handlers.about({})).toEqual(
      ok({
        version: '1.2.3',
        home: '/home',
        storage: GOOGLE_ENDPOINTS.storage,
        emulated: false,
        tray: false,
      }),
    );
    expect(await handlers['jobs-list']({})).toEqual(ok([job]));
    expect(await handlers['jobs-stop']({ id: 'x' })).toEqual(ok(undefined));
    expect(await handlers['jobs-retry']({ id: 'x' })).toEqual(fail(NO_SUCH_JOB));
  });

  it('open the folders of the application, and no others', async () => {
    const opened: string[] = [];
    const answers: (string | null)[] = [null, 'no application'];
    const handlers = createHandlers({
      ...options,
      services: ok({
        ...services(new Uint8Array(0)),
        paths: pathsBelow('/somewhere'),
      }),
      shell: {
        ...shell,
        openFolder: async (path) => {
          opened.push(path);
          return answers.shift() ?? null;
        },
      },
    });
    expect(await handlers['open-folder']({ folder: 'runs' })).toEqual(ok(undefined));
    expect(await handlers['open-folder']({ folder: 'logs' })).toMatchObject({
      ok: false,
      problem: { code: 'host.open-folder', subject: '/somewhere/logs' },
    });
    expect(opened).toEqual(['/somewhere/runs', '/somewhere/logs']);
    const { args } = CALLS['open-folder'];
    for (const bad of [{ folder: '/etc' }, { folder: 'agents' }, { folder: '../x' }, {}])
      expect(args.safeParse(bad).success).toBe(false);
  });

  it('send the bytes of a log, not the memory around them', async () => {
    const pool = new Uint8Array(4_096);
    const handlers = createHandlers({ ...options, services: ok(services(pool.subarray(8, 18))) });
    const read = await handlers['jobs-read-log']({ id: 'x', source: 0, offset: 0, maxBytes: 10 });
    expect(read.ok && read.value.bytes.buffer.byteLength).toBe(10);
  });

  it('answer every call with the reason where the services could not be opened', async () => {
    const handlers = createHandlers({ ...options, services: fail(NO_SUCH_JOB) });
    for (const name of CALL_NAMES)
      expect(await handlers[name]({} as never), name).toEqual(fail(NO_SUCH_JOB));
  });
});
