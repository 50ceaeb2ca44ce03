import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hintInTheWindow, inTheWindow } from '../../src/main/ipc/in-the-window.ts';

const src = join(import.meta.dirname, '..', '..', 'src');
const VERBS = 'retry|resume|upload|logs|job|jobs|stop|run|keys|hosts|ls|cp|grant|check';
const COMMAND = new RegExp(`trainyard (${VERBS})\\b`);

/** Every hint of services and agents that names a command, as it is written in the sources, with values put in. */
function hintsWithCommands(): readonly { readonly text: string; readonly code: string | null }[] {
  const files = ['main', 'google', 'agent', 'transfer'].flatMap((folder) =>
    readdirSync(join(src, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.includes('in-the-window'))
      .map((name) => join(src, folder, name)),
  );
  return files.flatMap((file) => {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.flatMap((line, index) => {
      const isHint = /\bhint\b|^\s*[?:] ['`]/.test(line);
      const [, , written] = /(['`])(.*)\1/.exec(line.replaceAll(/\\`/g, '´')) ?? [];
      if (!isHint || written === undefined || !COMMAND.test(written)) return [];
      const text = written
        .replaceAll('´', '`')
        .replaceAll(/\$\{[^}]*worker[^}]*\}/g, '1')
        .replaceAll(/\$\{[^}]*\}/g, '20261121-090000-aaaaaa');
      const before = lines.slice(Math.max(0, index - 8), index).reverse();
      const code = before.map((one) => /code: '([a-z.-]+)'/.exec(one)?.[1]).find((one) => one);
      return [{ text, code: code ?? null }];
    });
  });
}

describe('hints in the window', () => {
  it('name no command of the terminal, whatever services and agents say', () => {
    const found = hintsWithCommands();
    expect(found.length).toBeGreaterThan(12);
    const left = found
      .map(({ text, code }) => hintInTheWindow(text, code))
      .filter((text) => COMMAND.test(text));
    expect(left).toEqual([]);
  });

  it('say what to press', () => {
    const id = '20261121-090000-aaaaaa';
    expect(hintInTheWindow(`Go on with it: trainyard retry ${id}. What was done stays.`)).toBe(
      'Go on with it: press Retry. What was done stays.',
    );
    expect(
      hintInTheWindow(
        `Its output: trainyard logs ${id} --worker 1. Failed workers start again, with the code as it was at the start: trainyard retry ${id}. With other code: run the job anew.`,
      ),
    ).toBe(
      'Its output is in the log of worker 1. Failed workers start again, with the code as it was at the start: press Retry. With other code: run the job anew.',
    );
    expect(
      hintInTheWindow('These are there: a, b. Add another with trainyard keys add FILE.'),
    ).toBe('These are there: a, b. Add another in Keys.');
    expect(hintInTheWindow('whatever', 'input.key-name-taken')).toBe('Give another name.');
    expect(hintInTheWindow('Ask for roles/storage.objectViewer.')).toBe(
      'Ask for roles/storage.objectViewer.',
    );
  });

  it('are found however deep they lie; what holds none is the same value', () => {
    const job = (hint: string) => ({
      jobs: [
        { name: 'a', status: { problem: { code: 'job.x', message: 'm', hint }, warnings: [] } },
      ],
    });
    expect(inTheWindow(job('Try again with: trainyard upload 2026-a'))).toEqual(
      job('Try again with: press Upload again'),
    );
    const same = job('Wait.');
    expect(inTheWindow(same)).toBe(same);
    const bytes = { bytes: new Uint8Array(4), offset: 0 };
    expect(inTheWindow(bytes)).toBe(bytes);
    expect(inTheWindow(null)).toBeNull();
    const vault = { problem: { code: 'input.passphrase-file', message: 'x', hint: 'Set X.' } };
    expect(inTheWindow(vault).problem.message).toBe('The passphrase vault is closed.');
  });
});
