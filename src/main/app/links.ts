import { jobIdSchema } from '../../shared/plan.ts';
import type { AskedPlace } from '../../shared/ipc/application.ts';

export const LINK_SCHEME = 'trainyard';

/** Where `trainyard://job/ID` leads; null: it is no link of ours. Links come from anywhere: they show a job and do nothing. Pure. */
export function placeOfLink(link: string): AskedPlace | null {
  const found = /^trainyard:\/\/job\/([^/?#]{1,64})\/?$/i.exec(link);
  const id = jobIdSchema.safeParse(found?.[1]);
  return id.success ? { screen: 'jobs', job: id.data } : null;
}

/** The first link in the arguments that a start was given. Pure. */
export function placeOfArguments(args: readonly string[]): AskedPlace | null {
  for (const argument of args) {
    const place = placeOfLink(argument);
    if (place !== null) return place;
  }
  return null;
}
