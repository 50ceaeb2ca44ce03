import { join } from 'node:path';
import { parse } from 'yaml';
import { hasEnded } from '../../shared/job-status.ts';
import type { KeyCard } from '../../shared/key.ts';
import type { JobView } from '../../shared/views.ts';
import type { Services } from '../services.ts';
import { keysHandedOver } from './make-plan.ts';
import { templatesIn } from './templates.ts';

/** What would break without a key, or has to be known when another takes its place. */
export interface KeyDependents {
  /** Jobs that go on and use it. */
  readonly live: readonly JobView[];
  /** Those of them that were handed the key itself and keep it: unattended, or with a key file. Ids. */
  readonly holding: readonly string[];
  /** Jobs that ended without finishing: they could not be retried. */
  readonly ended: readonly JobView[];
  /** Addresses of bookmarks that it opens. */
  readonly bookmarks: readonly string[];
  /** Names of templates that name it. */
  readonly templates: readonly string[];
}

export async function keyDependents(
  services: Pick<Services, 'jobs' | 'bookmarks' | 'paths'>,
  card: KeyCard,
): Promise<KeyDependents> {
  const using = await services.jobs.usingKey(card.id);
  const live = using.filter(({ state }) => !hasEnded(state));
  const holding: string[] = [];
  for (const { id } of live) {
    const plan = await services.jobs.plan(id);
    if (plan.ok && keysHandedOver(plan.value).some(({ email }) => email === card.email))
      holding.push(id);
  }
  const bookmarks = services.bookmarks.list();
  return {
    live,
    holding,
    ended: using.filter(({ state }) => hasEnded(state) && state !== 'finished'),
    bookmarks: bookmarks.ok
      ? bookmarks.value.filter(({ key }) => key === card.id).map(({ address }) => address)
      : [],
    templates: await templatesNaming(join(services.paths.home, 'templates'), card),
  };
}

async function templatesNaming(folder: string, card: KeyCard): Promise<readonly string[]> {
  const templates = templatesIn(folder);
  const names = await templates.list();
  const found: string[] = [];
  for (const name of names.ok ? names.value : []) {
    const text = await templates.read(name);
    if (text.ok && namesKey(text.value, card)) found.push(name);
  }
  return found;
}

/** Whether the text of a job file names a key, as far as it can be read. Pure. */
export function namesKey(text: string, card: Pick<KeyCard, 'id' | 'name' | 'email'>): boolean {
  let spec: unknown;
  try {
    spec = parse(text);
  } catch {
    return false;
  }
  const wanted = (value: unknown): boolean =>
    value === card.name || value === card.id || value === card.email;
  const named = (part: unknown): boolean => isObject(part) && wanted(part['key']);
  if (!isObject(spec)) return false;
  const workers = spec['workerKeys'];
  return (
    ['code', 'input', 'output'].some((field) => named(isObject(spec) ? spec[field] : null)) ||
    (Array.isArray(workers) && workers.some(named))
  );
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
