import { shownProxy, type Proxy, type Route } from './routes.ts';

/** Thrown in place of a request where a proxy is named that cannot be used. */
export class ProxySettingError extends Error {
  readonly route: Extract<Route, { kind: 'unusable' }>;

  constructor(route: Extract<Route, { kind: 'unusable' }>) {
    super(`${route.from} ${route.why}.`);
    this.route = route;
  }
}

/** A proxy answered in place of the other end: it will not, or cannot, lead there. */
export class ProxyRefusedError extends Error {
  readonly proxy: Proxy;
  readonly meaning: 'sign-in' | 'forbidden' | 'no-way';
  /** `403`, or what stands for it with a SOCKS proxy. */
  readonly said: string;
  /** The ways to sign in that it offers, as `Proxy-Authenticate` names them: `negotiate`, `ntlm`, `basic`; empty where it names none. */
  readonly signIns: readonly string[];

  constructor(
    proxy: Proxy,
    meaning: ProxyRefusedError['meaning'],
    said: string,
    signIns: readonly string[] = [],
  ) {
    super(`${shownProxy(proxy)} answered ${said}.`);
    this.proxy = proxy;
    this.meaning = meaning;
    this.said = said;
    this.signIns = signIns;
  }
}

/** The proxy itself could not be reached, or broke off; `cause` says why. */
export class ProxyFailedError extends Error {
  readonly proxy: Proxy;

  constructor(proxy: Proxy, cause: unknown) {
    super(`${shownProxy(proxy)} cannot be used.`, { cause });
    this.proxy = proxy;
  }
}

/** What a proxy's status in answer to CONNECT means; null for the one that is no refusal. Pure. */
export function refusalOfConnect(
  proxy: Proxy,
  status: number,
  authenticate: string | readonly string[] | undefined,
): ProxyRefusedError | null {
  if (status === 200) return null;
  if (status !== 407)
    return new ProxyRefusedError(proxy, status >= 500 ? 'no-way' : 'forbidden', String(status));
  const offered = [authenticate ?? []]
    .flat()
    .flatMap((line) => line.split(/,\s*(?=[a-z-]+(?:\s|$|,))/i));
  const kinds = offered.map((one) => (one.trim().split(/\s/)[0] ?? '').toLowerCase());
  return new ProxyRefusedError(
    proxy,
    'sign-in',
    '407',
    kinds.filter((kind) => kind !== ''),
  );
}

/** The same of a SOCKS5 proxy, by the codes of undici's errors; null where it did not answer as one. Pure. */
export function refusalOfSocks(proxy: Proxy, code: string): ProxyRefusedError | null {
  if (code.startsWith('UND_ERR_SOCKS5_AUTH'))
    return new ProxyRefusedError(proxy, 'sign-in', 'that it wants another sign-in');
  const reply = /^UND_ERR_SOCKS5_REPLY_(\d+)$/.exec(code)?.[1];
  if (reply === undefined) return null;
  // RFC 1928, 6: 2 is "connection not allowed by ruleset".
  return new ProxyRefusedError(
    proxy,
    reply === '2' ? 'forbidden' : 'no-way',
    `SOCKS reply ${reply}`,
  );
}
