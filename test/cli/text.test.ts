import { describe, expect, it, vi } from 'vitest';
import { decideCopy, objectNameFor } from '../../src/cli/copy/decide.ts';
import { reportProblem } from '../../src/cli/exit.ts';
import { tellEnd } from '../../src/cli/follow.ts';
import { newsBetween } from '../../src/cli/follow-news.ts';
import { formatBytes, formatSeconds, plural, printable, shellWord } from '../../src/cli/format.ts';
import { chooseJobId } from '../../src/cli/job-id.ts';
import { createOutput, table, type Sink } from '../../src/cli/output.ts';
import { progressText } from '../../src/cli/progress.ts';
import { deriveJobStatus } from '../../src/shared/job-status.ts';
import { gpusAwaitedText } from '../../src/shared/gpus-awaited.ts';
import type { RunEvent, RunEventBody } from '../../src/shared/events.ts';
import { problem } from '../../src/shared/problem.ts';
import type { JobView } from '../../src/shared/views.ts';
import { problemOf } from '../main/temp.ts';

function sink(isTTY: boolean): Sink & { text(): string } {
  let text = '';
  return {
    isTTY,
    columns: isTTY ? 40 : 0,
    write: (part, done) => {
      text += typeof part === 'string' ? part : Buffer.from(part).toString('latin1');
      done?.();
    },
    text: () => text,
  };
}

describe('numbers and words', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1024, '1.00 KiB'],
    [1536, '1.50 KiB'],
    [100 * 1024 * 1024, '100 MiB'],
    [1023.9 * 1024 * 1024, '1.00 GiB'],
    [5 * 1024 ** 4, '5.00 TiB'],
  ])('writes %d bytes as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0.2, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 min 00 s'],
    [3_725, '1 h 02 min'],
    [90_000, '1 d 1 h'],
  ])('writes %d seconds as %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

  it('counts in words', () => {
    expect(plural(1, 'object')).toBe('1 object');
    expect(plural(3001, 'object')).toBe('3,001 objects');
  });

  it('lets no control character through to a terminal', () => {
    expect(printable('a\u001b[2Jb\n\u202ec')).toBe('a\\x1b[2Jb\\x0a\\u202ec');
    expect(printable('ä 日本')).toBe('ä 日本');
  });

  it('quotes words for the shell where they need it', () => {
    expect(shellWord('a/b-c.json')).toBe('a/b-c.json');
    expect(shellWord("it's (1).json")).toBe("'it'\\''s (1).json'");
  });
});

describe('output', () => {
  it('aligns columns, numbers to the right, and ends no line with spaces', () => {
    expect(
      table(
        [{ title: 'Name' }, { title: 'Size', align: 'right' }, { title: 'Note' }],
        [
          ['a', '1', ''],
          ['long name', '1000', 'x'],
        ],
      ),
    ).toEqual(['Name       Size  Note', 'a             1', 'long name  1000  x']);
  });

  it('colours a terminal alone, and not with NO_COLOR', () => {
    const printed = (isTTY: boolean, env: Record<string, string> = {}): string => {
      const stderr = sink(isTTY);
      const output = createOutput(sink(isTTY), stderr, env);
      output.note(`${output.paint('red', 'x')} y`);
      return stderr.text();
    };
    expect(printed(true)).toBe('\u001b[31mx\u001b[39m y\n');
    expect(printed(true, { NO_COLOR: '1' })).toBe('x y\n');
    expect(printed(false)).toBe('x y\n');
  });

  // A name, a message, a label: whatever comes from a bucket, a host or a file.
  const disturbing = 'a\u001b[31mred\u001b]0;title\u0007\u009b2J\u202etxt.exe\u2028b\r\u0000\tc\nd';
  const shown = 'a\\x1b[31mred\\x1b]0;title\\x07\\x9b2J\\u202etxt.exe\\u2028b\\x0d\\x00\tc\nd';

  it.each([true, false])(
    'writes out what would disturb a terminal, in every line of text',
    (isTTY) => {
      for (const way of ['line', 'note', 'warn', 'hint'] as const) {
        const stdout = sink(isTTY);
        const stderr = sink(isTTY);
        const output = createOutput(stdout, stderr, { NO_COLOR: '1' });
        if (way === 'hint') output.warn('m', disturbing);
        else output[way](disturbing);
        expect(stdout.text() + stderr.text(), way).toContain(shown);
      }
    },
  );

  it('prints JSON that shows what it holds and reads as the same', () => {
    const stdout = sink(true);
    createOutput(stdout, sink(true), {}).json({ [disturbing]: [disturbing, 'ä 日本 \u{1f682}'] });

    expect(stdout.text()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u2028]/);
    expect(stdout.text()).toContain('ä 日本 \u{1f682}');
    expect(JSON.parse(stdout.text())).toEqual({ [disturbing]: [disturbing, 'ä 日本 \u{1f682}'] });
  });

  it('prints the bytes of a log as they are, and to a terminal without what is more than text and colours', async () => {
    const log = Buffer.from('\u001b[32mok\u001b[0m\u001b]0;title\u0007\u001b[2J\r50 %\n');
    for (const [isTTY, printed] of [
      [false, log.toString()],
      [true, '\u001b[32mok\u001b[0m\r50 %\n'],
    ] as const) {
      const stdout = sink(isTTY);
      const output = createOutput(stdout, sink(isTTY), {});
      // In two pieces, cut inside a sequence.
      await output.bytes(log.subarray(0, 14));
      await output.bytes(log.subarray(14));
      expect(stdout.text()).toBe(printed);
    }
  });

  it('keeps the live line below other lines on a terminal, and prints it sparsely elsewhere', () => {
    const terminal = sink(true);
    const live = createOutput(sink(true), terminal, {});
    live.live('one');
    live.note('news');
    expect(terminal.text()).toBe('one\r\u001b[2Knews\none');
    live.live('x'.repeat(100));
    expect(terminal.text().endsWith(`\r\u001b[2K${'x'.repeat(38)}…`)).toBe(true);
    const pipe = sink(false);
    const sparse = createOutput(sink(false), pipe, {});
    vi.useFakeTimers({ now: 1_000_000 });
    for (let second = 0; second < 25; second += 1) {
      sparse.live(`second ${second}`);
      vi.advanceTimersByTime(1_000);
    }
    vi.useRealTimers();
    expect(pipe.text()).toBe('second 10\nsecond 20\n');
  });

  it('prints a problem on stderr, and with --json as the one document of stdout, with the status of its area', () => {
    const stdout = sink(false);
    const stderr = sink(false);
    const found = problem({
      code: 'access.list-refused',
      op: 'list',
      subject: 'gs://b',
      message: 'May not.',
      hint: 'Ask.\nThen wait.',
    });
    expect(reportProblem(createOutput(stdout, stderr, {}), found, true)).toBe(3);
    expect(JSON.parse(stdout.text())).toEqual({ problem: found });
    expect(stderr.text()).toBe('Error: May not.\n  Ask.\n  Then wait.\n');
  });

  it('says how far a transfer is', () => {
    expect(
      progressText('copying', {
        bytes: 512,
        bytesTotal: 2048,
        objects: 1,
        objectsTotal: 3,
        bytesPerSecond: 256,
        secondsLeft: 6,
      }),
    ).toBe('copying  25 %  1 of 3 objects  512 B of 2.00 KiB  256 B/s  6 s left');
  });
});

describe('which job is meant', () => {
  const ids = ['20260101-000000-aaaaaa', '20260102-000000-aaaaaa', '20260102-000000-bbbbbb'];
  it('takes an id, the beginning that only one has, and the latest', () => {
    expect(chooseJobId(ids, '20260101')).toEqual({ ok: true, value: ids[0] });
    expect(chooseJobId(ids, ids[1] ?? '')).toEqual({ ok: true, value: ids[1] });
    expect(chooseJobId(ids, 'latest')).toEqual({ ok: true, value: ids[2] });
  });
  it('refuses the others', () => {
    expect(chooseJobId(ids, '20260102')).toMatchObject({
      problem: { code: 'input.job-ambiguous' },
    });
    expect(chooseJobId(ids, 'x')).toMatchObject({ problem: { code: 'input.no-such-job' } });
    expect(chooseJobId(ids, '')).toMatchObject({ problem: { code: 'input.no-such-job' } });
    expect(chooseJobId([], 'latest')).toMatchObject({ problem: { code: 'input.no-such-job' } });
  });
});

describe('the two sides of a copy', () => {
  it('tells direction and place', () => {
    expect(decideCopy('gs://bucket/data', 'out/', '/home/u')).toEqual({
      ok: true,
      value: {
        direction: 'download',
        source: { bucket: 'bucket', path: 'data' },
        target: '/home/u/out',
        folderMeant: true,
      },
    });
    expect(decideCopy('../x', 'gs://bucket', '/home/u')).toEqual({
      ok: true,
      value: { direction: 'upload', source: '/home/x', target: { bucket: 'bucket', path: '' } },
    });
  });
  it.each([
    ['a', 'b'],
    ['gs://aaa/x', 'gs://bbb/y'],
    ['s3://aaa/x', 'b'],
    ['https://storage.googleapis.com/b/o', 'b'],
    ['gs://A/x', 'b'],
  ])('refuses %s to %s in words', (source, target) => {
    const { code, hint } = problemOf(decideCopy(source, target, '/'));
    expect(code).toMatch(/^input\./);
    expect(hint).not.toBe('');
  });
  it('names the object of a single file', () => {
    const at = (path: string) => objectNameFor({ bucket: 'b', path }, '/x/file.txt');
    expect(at('')).toBe('file.txt');
    expect(at('a/')).toBe('a/file.txt');
    expect(at('a/b')).toBe('a/b');
  });
});

describe('news of a job', () => {
  const view = (bodies: readonly RunEventBody[], agentAlive = true): JobView => {
    const events = bodies.map((body, index): RunEvent => ({
      format: 1,
      seq: index + 1,
      time: new Date(1_700_000_000_000 + index * 1000).toISOString(),
      ...body,
    }));
    const status = deriveJobStatus(events, {
      workers: 1,
      agentAlive,
      createdAt: '2026-01-01T00:00:00Z',
      now: 0,
    });
    return {
      id: 'id',
      name: 'n',
      kind: 'training',
      host: 'local',
      createdAt: '2026-01-01T00:00:00Z',
      state: status.state,
      agent: null,
      workers: status.workers,
      runDirectory: '/r',
      output: null,
      status,
    };
  };
  const start: readonly RunEventBody[] = [
    {
      kind: 'agent-started',
      agent: { pid: 1, startTime: '1', bootId: 'b' },
      version: '0',
      attempt: 1,
    },
    { kind: 'stage-started', stage: 'staging' },
  ];
  const ended: readonly RunEventBody[] = [
    { kind: 'stage-ended', stage: 'staging' },
    { kind: 'stage-started', stage: 'running' },
    { kind: 'worker-started', worker: 0, pid: 7, startTime: '1', start: 1, gpus: [] },
    { kind: 'worker-ended', worker: 0, exitCode: 3, signal: null, stopped: false },
    { kind: 'warning', message: 'careful', hint: 'look' },
  ];
  it('tells each thing once, in order', () => {
    const before = view(start);
    const now = view([...start, ...ended]);
    expect(newsBetween(null, before).map((news) => news.text)).toEqual(['staging']);
    expect(newsBetween(before, now).map((news) => news.text)).toEqual([
      'running',
      '  worker 0 started (process 7)',
      '  worker 0 failed after 1 s: exit status 3',
      'careful',
    ]);
    expect(newsBetween(now, now)).toEqual([]);
    // Taken up by another agent: the stage is told, and once.
    const interrupted = view([...start, ...ended.slice(0, 3)], false);
    expect(interrupted.state).toBe('interrupted');
    const again: readonly RunEventBody[] = [
      ...start,
      ...ended.slice(0, 3),
      { ...start[0]!, attempt: 2 } as RunEventBody,
      { kind: 'stage-started', stage: 'running' },
    ];
    const taken = view([...again, { kind: 'worker-adopted', worker: 0, pid: 7 }]);
    for (const between of [view(again), taken])
      expect(newsBetween(interrupted, between).map((news) => news.text)).toEqual(['running']);
    expect(newsBetween(view(again), taken)).toEqual([]);
    const lost = ended.map((event) =>
      event.kind === 'worker-ended' ? { ...event, exitCode: null } : event,
    );
    expect(newsBetween(before, view([...start, ...lost])).map((news) => news.text)).toContain(
      '  worker 0 failed after 1 s: nobody saw how it ended, because its supervisor is gone',
    );
    const further = view([...start, ...ended, { kind: 'stage-started', stage: 'uploading' }]);
    expect(newsBetween(before, further).map((news) => news.text)).toEqual([
      'running',
      '  worker 0 started (process 7)',
      '  worker 0 failed after 1 s: exit status 3',
      'uploading',
      'careful',
    ]);
  });

  it('what a job waits for is told with who has it, and again when that changes', () => {
    const waits = { needed: 2, free: 0, total: 2 };
    const held = { index: 0, run: '20260101-000000-abcdef', processes: [5], needsReset: false };
    const foreign = { index: 1, run: null, processes: [4712, 4711], needsReset: false };
    expect(gpusAwaitedText({ ...waits, taken: [held, foreign] }).message).toBe(
      'Waits for 2 GPUs; 0 of 2 are free. Not free: GPU 0 (the job 20260101-000000-abcdef), GPU 1 (processes 4711, 4712).',
    );
    expect(
      gpusAwaitedText({ needed: 2, free: 1, total: 2, taken: [{ ...held, needsReset: true }] })
        .message,
    ).toBe('Waits for 2 GPUs; 1 of 2 is free. Not free: GPU 0 (needs a reset).');
    expect(gpusAwaitedText({ ...waits, taken: [{ ...held, needsReset: true }] }).hint).toContain(
      'nvidia-smi --gpu-reset',
    );
    expect(gpusAwaitedText({ ...waits, taken: [held] }).hint).toContain('nothing has to be done');
    // Who they are, as far as it is known, and what can be done.
    const users = [{ pid: 4711, user: 'maria', program: 'python train.py' }];
    const known = gpusAwaitedText({ ...waits, taken: [{ ...foreign, users }] });
    expect(known.message).toContain('GPU 1 (processes 4711: python train.py of maria, 4712)');
    expect(known.hint).toContain('--use-busy-gpus');
    const although = gpusAwaitedText({ ...waits, taken: [foreign], useBusy: true });
    expect(although.hint).not.toContain('--use-busy-gpus');
    const prohibited = { reason: 'its compute mode is Prohibited', advice: 'Do X.', final: true };
    const final = gpusAwaitedText({
      ...waits,
      taken: [{ ...foreign, processes: [], blocked: prohibited }],
      lost: ['GPU 3 does not answer.'],
    });
    expect(final.message).toContain('GPU 1 (its compute mode is Prohibited). GPU 3 does not');
    expect(final.hint).toBe('It starts by itself once enough are free. Do X.');
    expect(
      gpusAwaitedText({ ...waits, taken: [{ ...foreign, holder: 'maria' }] }).message,
    ).toContain('GPU 1 (a job of maria)');
    expect(gpusAwaitedText({ ...waits, taken: [] }).message).toBe(
      'Waits for 2 GPUs; 0 of 2 are free.',
    );

    const waiting: readonly RunEventBody[] = [
      ...start,
      { kind: 'stage-ended', stage: 'staging' },
      { kind: 'stage-started', stage: 'waiting' },
      { kind: 'gpus-awaited', ...waits, taken: [held, foreign] },
    ];
    const less: RunEventBody = {
      kind: 'gpus-awaited',
      needed: 2,
      free: 1,
      total: 2,
      taken: [held],
    };
    const said = (before: JobView | null, now: JobView) =>
      newsBetween(before, now).map(({ text }) => text.slice(0, 33));
    expect(said(null, view(waiting))).toEqual([
      'staging',
      'waiting',
      '  Waits for 2 GPUs; 0 of 2 are fr',
    ]);
    expect(said(view(waiting), view([...waiting, less]))).toEqual([
      '  Waits for 2 GPUs; 1 of 2 is fre',
    ]);
    expect(said(view(waiting), view(waiting))).toEqual([]);
    const goes = view([...waiting, { kind: 'stage-ended', stage: 'waiting' }]);
    expect(goes.status.gpusAwaited).toBeNull();
  });
});

describe('the end of a job', () => {
  it('tells how long the last attempt took, not the pause before it', () => {
    const at = (seconds: number, body: RunEventBody, seq: number): RunEvent => ({
      format: 1,
      seq,
      time: new Date(seconds * 1000).toISOString(),
      ...body,
    });
    const agent = { pid: 1, startTime: '1', bootId: 'b' };
    const begun = (attempt: number): RunEventBody => ({
      kind: 'agent-started',
      agent,
      version: 'v',
      attempt,
    });
    const ended: RunEventBody = { kind: 'ended', state: 'failed', stage: null, problem: null };
    const status = deriveJobStatus(
      [at(0, begun(1), 1), at(5, ended, 2), at(600, begun(2), 3), at(604, ended, 4)],
      { workers: 0, agentAlive: false, createdAt: '', now: 0 },
    );
    const stderr = sink(false);
    const job = { id: 'x', workers: [], output: null, runDirectory: '/x', state: 'failed', status };
    expect(tellEnd(createOutput(sink(false), stderr, {}), job as unknown as JobView)).toBe(1);
    expect(stderr.text()).toMatch(/^Failed in 4 s\./);
  });
});
