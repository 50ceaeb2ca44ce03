import { WEIGHTS } from '../soak/drive.ts';
import { byVictim, soak } from '../soak/soak.ts';
import { testSeed } from '../support/random.ts';
import { expect, test } from './support/test.ts';

/** A short soak in which the application starts and follows jobs and is killed; `npm run soak` is the long one. */
test('an application that is killed at random moments harms no job and leaves no process', async () => {
  test.setTimeout(300_000);
  const seed = testSeed();
  const lines = [`seed ${seed}`];
  const { wrong, kills } = await soak({
    kills: 4,
    seed,
    faults: 0,
    minutes: 2,
    weights: { ...WEIGHTS, application: 16 },
    window: {
      executable: process.env['TRAINYARD_ELECTRON'] ?? '',
      display: process.env['DISPLAY'] ?? '',
    },
    say: (line) => lines.push(line),
  });
  process.stdout.write(`soak with the application, seed ${seed}: ${byVictim(kills)}\n`);
  expect(wrong, lines.join('\n')).toEqual([]);
  expect(
    kills.some(({ victim }) => victim === 'application'),
    lines.join('\n'),
  ).toBe(true);
});
