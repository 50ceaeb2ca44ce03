import type { RunPlan } from '../../shared/plan.ts';
import { problem, type Problem } from '../../shared/problem.ts';
import type { PowerBook } from '../keys/power-book.ts';
import { accountsOf } from './power-marks.ts';

/** Refuses a new run that uses a key which a check found to administer, and which nobody confirmed; null where there is none. No network. */
export function refuseUnconfirmed(powers: Pick<PowerBook, 'read'>, plan: RunPlan): Problem | null {
  for (const { keyId, name, email } of accountsOf(plan)) {
    const power = powers.read(keyId);
    if (power === null || power.acceptedAt !== null) continue;
    const places = [...new Set(power.findings.map(({ on }) => on))];
    const can = places.map((place) => {
      const found = power.findings.filter(({ on }) => on === place);
      return `${found.map(({ permission }) => permission).join(', ')} on ${place}`;
    });
    return problem({
      code: 'access.key-not-confirmed',
      op: 'check the job',
      subject: name,
      message: `${name} is an administrator’s key, and nobody has confirmed it.`,
      hint: `It can do far more than this job needs: ${can.join('; ')}. Better take a key that may do less. To go on all the same: trainyard keys check ${name} --accept-admin ${email}`,
    });
  }
  return null;
}
