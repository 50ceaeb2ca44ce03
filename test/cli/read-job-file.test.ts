import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readJobFile } from '../../src/cli/read-job-file.ts';
import { COMMAND_LINE } from '../support/programs.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'trainyard-job-file-'));
  execFileSync('mkfifo', [path.join(folder, 'pipe.yaml')]);
  await writeFile(path.join(folder, 'job.yaml'), 'name: x\n');
  await writeFile(path.join(folder, 'limit.yaml'), Buffer.alloc(1 << 20, '#'));
  await writeFile(path.join(folder, 'large.yaml'), Buffer.alloc((1 << 20) + 1, '#'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (name: string) =>
  readJobFile(path.resolve(folder, name), name, new AbortController().signal);

describe('what is no job file', () => {
  it.each([
    ['pipe.yaml', 'pipe.yaml is not a regular file.'],
    ['/dev/zero', '/dev/zero is not a regular file.'],
    ['/dev', '/dev is a folder, not a job file.'],
    ['large.yaml', 'large.yaml is larger than 256 KiB.'],
    ['nowhere.yaml', 'There is no file nowhere.yaml.'],
    ['job.yaml/x', 'job.yaml/x could not be read (ENOTDIR: not a directory).'],
  ])('%s is refused at once', { timeout: 5_000 }, async (name, message) => {
    const found = await read(name);
    if (found.ok) throw new Error('it was read');
    expect(found.problem).toMatchObject({ code: 'input.job-file', message });
    expect(found.problem.hint).not.toBe('');
  });

  it('a regular file of 1 MiB is read', async () => {
    const found = await read('limit.yaml');
    expect(found.ok && found.value.length).toBe(1 << 20);
  });
});

describe('a pipe that a shell hands over', () => {
  const bash = (command: string) =>
    spawn('bash', ['-c', command, COMMAND_LINE, process.execPath, COMMAND_LINE], {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', HOME: folder, TRAINYARD_HOME: `${folder}/home` },
      stdio: ['ignore', 'ignore', 'pipe'],
    });

  it.each([
    ['<(...)', 'exec "$1" "$2" run <(sleep 0.3; echo "nonsense: 1")'],
    ['standard input', '(sleep 0.3; echo "nonsense: 1") | "$1" "$2" run /dev/stdin'],
  ])('%s is waited for and read', async (_, command) => {
    const child = bash(command);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [status] = (await once(child, 'close')) as [number];
    expect(stderr).toContain('"nonsense"');
    expect(status).toBe(2);
  });

  it('an interrupt ends the wait', { timeout: 10_000 }, async () => {
    const pipe = openSync(path.join(folder, 'pipe.yaml'), constants.O_RDWR);
    try {
      const controller = new AbortController();
      const reading = readJobFile(`/proc/self/fd/${pipe}`, 'pipe', controller.signal);
      setTimeout(() => controller.abort(new Error('interrupted')), 100);
      await expect(reading).rejects.toThrow('interrupted');
    } finally {
      closeSync(pipe);
    }
  });
});
