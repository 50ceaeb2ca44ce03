import { describe, expect, it } from 'vitest';

import { testSeed } from '../support/random.ts';
import { byVictim, soak } from './soak.ts';

/** A short soak; `npm run soak` is the long one. */
describe('jobs whose processes are killed at random moments', () => {
  it.each([
    { name: 'end as the undisturbed one', faults: 0, kills: 5 },
    { name: 'end as the undisturbed one, with 5 % of faults', faults: 0.05, kills: 3 },
  ])(
    '$name',
    async ({ faults, kills }) => {
      const seed = testSeed();
      const lines: string[] = [
        `npm run soak -- --seed ${seed} --kills ${kills} --faults ${faults}`,
      ];
      const report = await soak({
        kills,
        seed,
        faults,
        minutes: 1.5,
        say: (line) => lines.push(line),
      });
      lines.push(byVictim(report.kills));
      process.stdout.write(`${lines[0]}: ${lines.at(-1)}\n`);
      expect(report.wrong, lines.join('\n')).toEqual([]);
      expect(report.kills.length, lines.join('\n')).toBeGreaterThan(0);
    },
    240_000,
  );
});
