import { describe, expect, it } from 'vitest';
import { tellReport, type CopyReport } from '../../src/cli/copy/report.ts';
import { createOutput } from '../../src/cli/output.ts';
import { problem } from '../../src/shared/problem.ts';

const whole: CopyReport = {
  objects: 1,
  bytes: 3,
  seconds: 1,
  skipped: 0,
  written: [{ object: 'data/a', path: 'a' }],
  mapped: [],
  refused: [],
  failed: [],
};
const broken = problem({ code: 'transfer.disk', op: 'write', subject: 'x', message: 'It broke.' });

function tell(report: CopyReport, json: boolean) {
  let stdout = '';
  let stderr = '';
  const sink = (write: (text: string) => void) => ({
    isTTY: false,
    columns: 80,
    write: (text: string | Uint8Array) => write(String(text)),
  });
  const output = createOutput(
    sink((text) => (stdout += text)),
    sink((text) => (stderr += text)),
    {},
  );
  return { status: tellReport(output, report, json), stdout, stderr };
}

describe('the report of a copy', () => {
  it('ends with 0 when all arrived, under whatever name, and tells the names', () => {
    expect(tell(whole, false).status).toBe(0);
    const told = tell({ ...whole, mapped: [{ object: 'data/\u001b..', path: '%1B..' }] }, false);
    expect(told.status).toBe(0);
    expect(told.stderr).toContain('%1B..');
    expect(told.stderr).not.toContain('\u001b');
  });

  it('ends with 1 when anything was refused or failed, and names it', () => {
    const refused = tell(
      { ...whole, refused: [{ object: 'data/b', reason: 'it is locked' }] },
      false,
    );
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining('data/b: it is locked'),
    ]);
    const failed = tell({ ...whole, failed: [{ path: 'c', problem: broken }] }, false);
    expect([failed.status, failed.stderr]).toEqual([1, expect.stringContaining('c: It broke.')]);
  });

  it('says "nothing to copy" only where nothing was left to copy', () => {
    const there = { ...whole, skipped: 1 };
    expect(tell(there, false).stdout).toMatch(/^Nothing to copy: 1 object, 3 B, already there\./);
    const rest = [
      { failed: [{ object: 'data/b', problem: broken }] },
      { refused: [{ object: 'data/b', reason: 'it is locked' }] },
    ];
    for (const one of rest)
      expect(tell({ ...there, ...one }, false).stdout).toMatch(
        /^Copied 1 object, 3 B in .*, 1 object of it earlier\.\n$/,
      );
  });

  it('says how many empty folders were left out', () => {
    const told = (emptyFolders: number) => tell({ ...whole, emptyFolders }, false);
    expect(told(0).stderr).toBe('');
    expect(told(1)).toMatchObject({
      status: 0,
      stderr: expect.stringContaining(': 1 was left') as string,
    });
    expect(told(2).stderr).toContain('A bucket has no empty folders: 2 were left out.');
  });

  it('has every object in one of four lists as JSON', () => {
    const report: CopyReport = {
      ...whole,
      mapped: [{ object: 'data//x', path: '%empty/x' }],
      refused: [{ object: 'data/b', reason: 'it is locked' }],
      failed: [{ object: 'data/c', problem: broken }],
    };
    const told = tell(report, true);
    expect(told.status).toBe(1);
    expect(JSON.parse(told.stdout)).toEqual(report);
  });
});
