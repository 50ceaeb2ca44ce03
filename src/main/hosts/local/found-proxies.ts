import * as z from 'zod';
import { FOUND, isLoopback, namesProxy, shownProxy, type Route } from '../../../google/routes.ts';
import { routeOf } from '../../../google/proxy.ts';
import type { Environment } from '../../platform/paths.ts';
import { GOOGLE_ENDPOINTS } from '../../../shared/endpoints.ts';

/** What every job asks. */
const GOOGLE = [
  GOOGLE_ENDPOINTS.storage,
  GOOGLE_ENDPOINTS.oauthToken,
  GOOGLE_ENDPOINTS.securityTokenService,
];

/**
 * The variables that tell an agent how this process reaches some addresses: the proxy of the first that has one, and the hosts that are reached without.
 * The desktop's settings hold no password. Pure.
 */
export function foundVariables(
  routes: readonly { readonly host: string; readonly route: Route }[],
): Environment {
  const proxy = routes.flatMap(({ route }) => (route.kind === 'proxy' ? [route.proxy] : []))[0];
  if (proxy === undefined) return {};
  const direct = routes.filter(({ route }) => route.kind === 'direct').map(({ host }) => host);
  return { [FOUND.proxy]: shownProxy(proxy), [FOUND.exempt]: [...new Set(direct)].join(',') };
}

/** What the desktop's settings say of the addresses that an agent asks: Google's, and `others`. Nothing where `env` names proxies, which agents inherit. */
export async function foundProxies(
  env: Environment,
  others: readonly string[],
): Promise<Environment> {
  if (namesProxy(env)) return {};
  const addresses = [...GOOGLE, ...others].filter(
    (address) => URL.canParse(address) && !isLoopback(new URL(address).hostname),
  );
  const routes = addresses.map(async (address) => ({
    host: new URL(address).hostname,
    route: await routeOf(address),
  }));
  return foundVariables(await Promise.all(routes));
}

const gitSchema = z.object({ code: z.object({ kind: z.literal('git'), url: z.string() }) });

/** The address that a plan's code is cloned from, where it is one of the web. Pure. */
export function codeAddresses(plan: unknown): readonly string[] {
  const parsed = gitSchema.safeParse(plan);
  return parsed.success ? [parsed.data.code.url].filter((url) => /^https?:/.test(url)) : [];
}
