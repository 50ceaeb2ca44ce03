/**
 * Proxies by the usual variables (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, in capitals or not). Node's own `fetch` honours them only with
 * `NODE_USE_ENV_PROXY=1` set before it starts; here they always count, and never for this machine itself.
 */
export interface ProxySettings {
  readonly httpProxy: string | undefined;
  readonly httpsProxy: string | undefined;
  /** Hosts that are reached directly, as `NO_PROXY` has them, loopback always among them. */
  readonly noProxy: string;
}

const LOOPBACK = 'localhost,127.0.0.1,::1,[::1]';

/**
 * Whether the host of a URL can only be this machine: `localhost`, 127.0.0.0/8, [::1]. Names below `localhost` are no such: RFC 6761 reserves them,
 * and resolvers ask name servers for them all the same. The URL parser has already turned other spellings of an IPv4 address (`127.1`, `0x7f.1`)
 * into four decimal numbers.
 */
export const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);

/** What an environment says of proxies; null where it names none that can be used. Small letters win, as in other programs. */
export function proxySettings(
  env: Readonly<Record<string, string | undefined>>,
): ProxySettings | null {
  const value = (name: string): string | undefined => {
    const found = env[name.toLowerCase()] ?? env[name];
    return found === undefined || found === '' ? undefined : found;
  };
  const proxy = (name: string): string | undefined => {
    const found = value(name);
    if (found === undefined) return undefined;
    // `proxy:3128` is often written for `http://proxy:3128`.
    const address = found.includes('://') ? found : `http://${found}`;
    return URL.canParse(address) && /^https?:/.test(address) ? address : undefined;
  };
  const httpProxy = proxy('HTTP_PROXY');
  const httpsProxy = proxy('HTTPS_PROXY');
  if (httpProxy === undefined && httpsProxy === undefined) return null;
  const others = value('NO_PROXY');
  return {
    httpProxy,
    httpsProxy,
    noProxy: others === undefined ? LOOPBACK : `${LOOPBACK},${others}`,
  };
}

type Fetch = (address: string, init: RequestInit) => Promise<Response>;
const known = new Map<string, Promise<Fetch>>();

/**
 * The `fetch` for an address: Node's own, or one through the proxy of this process's environment. What speaks to proxies is loaded only where
 * there is one.
 */
export function fetchFor(address: string): Promise<Fetch> {
  const settings = proxySettings(process.env);
  if (settings === null || (URL.canParse(address) && isLoopback(new URL(address).hostname)))
    return Promise.resolve(fetch);
  const key = JSON.stringify(settings);
  let through = known.get(key);
  if (through === undefined) {
    through = import('./proxied-fetch.ts').then((undici): Fetch => {
      const dispatcher = new undici.EnvHttpProxyAgent(agentOptions(settings));
      // The class of a package's Response is another than that of Node's own; what it does is the same.
      // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
      return (url, init) => undici.fetch(url, { ...(init as object), dispatcher });
    });
    known.set(key, through);
  }
  return through;
}

/** Settings in the words of undici's EnvHttpProxyAgent; an empty text keeps it from looking at the environment by itself. */
export function agentOptions(settings: ProxySettings): {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
  readonly proxyTunnel: boolean;
} {
  const { httpProxy = '', httpsProxy = httpProxy, noProxy } = settings;
  // By CONNECT always: the proxy sees the host, never an address, header or byte.
  return { httpProxy, httpsProxy, noProxy, proxyTunnel: true };
}
