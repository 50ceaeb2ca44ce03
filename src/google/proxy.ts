import { ProxySettingError } from './proxy-faults.ts';
import { isLoopback, namesProxy, routeFor, routeOfPac, type Route } from './routes.ts';
import { nodeTrustsThem, trustedContext } from './trust.ts';

type Fetch = (address: string, init: RequestInit) => Promise<Response>;

/** Answers how the desktop's settings lead to an address, in the words of proxy configuration files: `PROXY proxy:3128; DIRECT`. */
export type AskDesktop = (address: string) => Promise<string>;

let askDesktop: AskDesktop | null = null;

/** From now on the desktop's settings count in this process where its environment names no proxy. */
export function useDesktopProxies(ask: AskDesktop): void {
  askDesktop = ask;
}

/** How this process reaches an address: by its environment, then by the desktop's settings where they are known. */
export async function routeOf(address: string): Promise<Route> {
  const { env } = process;
  if (askDesktop === null || namesProxy(env) || !isAway(address)) return routeFor(address, env);
  // What cannot be asked says nothing.
  return routeOfPac(await askDesktop(address).catch(() => 'DIRECT'));
}

const isAway = (address: string): boolean =>
  URL.canParse(address) && !isLoopback(new URL(address).hostname);

/** Node's own `fetch` takes proxies by itself where it is told so: for this machine, too, which would never do. */
const isBent = (): boolean =>
  [process.env['NODE_OPTIONS'] ?? '', ...process.execArgv].some((text) =>
    text.includes('--use-env-proxy'),
  ) || (process.env['NODE_USE_ENV_PROXY'] ?? '') !== '';

const known = new Map<string, Promise<Fetch>>();

/**
 * The `fetch` for an address: Node's own, or one through the proxy that is set for it. What speaks to proxies is loaded only where it is needed.
 * Throws a ProxySettingError where a proxy is named that cannot be used.
 */
export async function fetchFor(address: string): Promise<Fetch> {
  const route = await routeOf(address);
  if (route.kind === 'unusable') throw new ProxySettingError(route);
  const isTls = isAway(address) && address.startsWith('https:');
  const secureContext = isTls || route.kind === 'proxy' ? trustedContext() : null;
  if (route.kind === 'direct' && !isBent() && (!isTls || nodeTrustsThem())) return fetch;
  const key = JSON.stringify([route, secureContext !== null]);
  let through = known.get(key);
  if (through === undefined) {
    through = import('./proxied-fetch.ts').then((undici): Fetch => {
      const dispatcher = undici.dispatcherFor(route, { secureContext });
      // The class of a package's Response is another than that of Node's own; what it does is the same.
      // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
      return (url, init) => undici.fetch(url, { ...(init as object), dispatcher });
    });
    known.set(key, through);
  }
  return through;
}
