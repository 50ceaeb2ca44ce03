import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';
import { isInherited } from '../../src/agent/inherited.ts';

it('tells what this program opened from what it was given', () => {
  expect(isInherited('pos:\t0\nflags:\t0100000\nmnt_id:\t1\n')).toBe(true);
  expect(isInherited('pos:\t0\nflags:\t02100000\nmnt_id:\t1\n')).toBe(false);
  expect(isInherited('')).toBe(false);
});

it.runIf(process.platform === 'linux')(
  'an agent holds none of the files that its starter left open, and passes none on',
  () => {
    const module = path.resolve(import.meta.dirname, '../../src/agent/inherited.ts');
    const program = `
      import { execFileSync } from 'node:child_process';
      import { readdirSync } from 'node:fs';
      const { closeInherited } = await import(${JSON.stringify(module)});
      const before = readdirSync('/proc/self/fd').includes('60');
      const closed = closeInherited();
      const after = readdirSync('/proc/self/fd').includes('60');
      const child = execFileSync('ls', ['/proc/self/fd'], { encoding: 'utf8' }).split('\\n').includes('60');
      console.log(JSON.stringify({ before, closed, after, child }));
    `;
    const told = execFileSync(
      'bash',
      [
        '-c',
        'exec 60</etc/hostname; exec "$0" --input-type=module -e "$1"',
        process.execPath,
        program,
      ],
      { encoding: 'utf8' },
    );
    const { before, closed, after, child } = JSON.parse(told) as Record<string, unknown>;
    expect({ before, after, child }).toEqual({ before: true, after: false, child: false });
    expect(closed).toBeGreaterThanOrEqual(1);
  },
);
