import { BlockList, isIP } from 'node:net';

/** A proxy as it is used. Its user name and password are held in memory alone: what is shown is {@link shownProxy}. */
export interface Proxy {
  readonly scheme: 'http' | 'https' | 'socks5';
  /** As in a URL: an IPv6 address stands in brackets. */
  readonly host: string;
  readonly port: number;
  readonly user: string | null;
  readonly password: string | null;
  /** The variable that names it, or {@link DESKTOP}. */
  readonly from: string;
}

/** How an address is reached. */
export type Route =
  | { readonly kind: 'direct' }
  | { readonly kind: 'proxy'; readonly proxy: Proxy }
  /** A proxy is named that cannot be used; `why` is a part of a sentence and holds no password. */
  | { readonly kind: 'unusable'; readonly from: string; readonly why: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** Where a proxy comes from that no variable names. */
export const DESKTOP = 'the proxy settings of the desktop';

/** What the window found in the desktop's settings, for the agent that it starts. Workers do not see them, as no variable of Trainyard's own. */
export const FOUND = { proxy: 'TRAINYARD_PROXY', exempt: 'TRAINYARD_NO_PROXY' } as const;

const DIRECT: Route = { kind: 'direct' };

/**
 * Whether the host of a URL can only be this machine: `localhost`, 127.0.0.0/8, [::1]. Names below `localhost` are no such: RFC 6761 reserves them,
 * and resolvers ask name servers for them all the same. The URL parser has already turned other spellings of an IPv4 address (`127.1`, `0x7f.1`)
 * into four decimal numbers.
 */
export const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);

/** A proxy's address without user name and password: what may be shown. */
export const shownProxy = ({ scheme, host, port }: Proxy): string => `${scheme}://${host}:${port}`;

/** The names of a setting's variables, in the order in which they count: small letters win, as in other programs. */
const spellings = (...names: readonly string[]): readonly string[] =>
  names.flatMap((name) => [name.toLowerCase(), name]);
const FOR_SCHEME: Readonly<Record<string, readonly string[]>> = {
  // HTTP_PROXY is about plain HTTP alone.
  'https:': spellings('HTTPS_PROXY', 'ALL_PROXY'),
  'http:': spellings('HTTP_PROXY', 'ALL_PROXY'),
};

interface Setting {
  readonly name: string;
  readonly value: string;
}

/** The first variable of these that is set and not empty. */
function firstSet(env: Environment, names: readonly string[]): Setting | null {
  for (const name of names) {
    const value = env[name]?.trim() ?? '';
    if (value !== '') return { name, value };
  }
  return null;
}

/** Whether an environment names a proxy of any kind. What the desktop says counts only where it does not. */
export const namesProxy = (env: Environment): boolean =>
  firstSet(env, spellings('HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY')) !== null;

const DEFAULT_PORTS: Readonly<Record<Proxy['scheme'], number>> = {
  http: 80,
  https: 443,
  socks5: 1080,
};
const SCHEMES: Readonly<Record<string, Proxy['scheme']>> = {
  http: 'http',
  https: 'https',
  socks: 'socks5',
  socks5: 'socks5',
  // The proxy resolves names: it always does here.
  socks5h: 'socks5',
};
/** The user name and password end at the last `@`, because passwords are often written as they are. */
const ADDRESS =
  /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:(.*)@)?(\[[0-9a-f:.]+\]|[^\s:/?#@[\]]+)(?::(\d{1,5}))?(?:[/?#].*)?$/is;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Reads a proxy's address as the variables have it: `http://`, `https://`, `socks5://`, `socks5h://` or without a scheme, with or without user name
 * and password (percent-encoded or not). Pure.
 */
export function readProxy(text: string, from: string): Route {
  const unusable = (why: string): Route => ({ kind: 'unusable', from, why });
  const match = ADDRESS.exec(text.trim());
  if (match === null) return unusable('holds something that is no address of a proxy');
  const [, written = 'http', userInfo, host = '', givenPort] = match;
  const scheme = SCHEMES[written.toLowerCase()];
  if (scheme === undefined)
    return unusable(
      `names a proxy of the kind ${written.toLowerCase()}://, which Trainyard does not speak`,
    );
  const port = givenPort === undefined ? DEFAULT_PORTS[scheme] : Number(givenPort);
  if (port < 1 || port > 65_535 || !URL.canParse(`http://${host}/`))
    return unusable('holds something that is no address of a proxy');
  const [user = null, ...rest] = userInfo?.split(':') ?? [];
  return {
    kind: 'proxy',
    proxy: {
      scheme,
      host: new URL(`http://${host}/`).hostname,
      port,
      user: user === null || user === '' ? null : decoded(user),
      password: rest.length === 0 ? null : decoded(rest.join(':')),
      from,
    },
  };
}

const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');

function isInSubnet(address: string, subnet: string, bits: number): boolean {
  const family = isIP(address);
  if (family === 0 || family !== isIP(subnet) || bits > (family === 4 ? 32 : 128)) return false;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(subnet, bits, kind);
  return list.check(address, kind);
}

/**
 * Whether a `NO_PROXY` list names a host: `*`; a name, which counts for all below it, with a dot or `*.` before it or not; an address; a range of
 * addresses (`10.0.0.0/8`); `<local>` for names without a dot; each of them with `:PORT` for that port alone. Commas or blanks stand between.
 * `hostname` as in a URL. Pure.
 */
export function isExempt(hostname: string, port: number, list: string): boolean {
  const host = withoutBrackets(hostname.toLowerCase()).replace(/\.$/, '');
  return list
    .toLowerCase()
    .split(/[\s,;]+/)
    .some((entry) => entry !== '' && names(entry, host, port));
}

function names(entry: string, host: string, port: number): boolean {
  if (entry === '<local>') return !/[.:]/.test(host);
  const range = /^\[?([0-9a-f.:]+)\]?\/(\d{1,3})$/.exec(entry);
  if (range !== null) return isInSubnet(host, range[1] ?? '', Number(range[2]));
  // An IPv6 address without brackets has no port.
  const withPort = isIP(entry) === 6 ? null : /^(.+):(\d{1,5})$/.exec(entry);
  if (withPort !== null && Number(withPort[2]) !== port) return false;
  const name = withoutBrackets(withPort?.[1] ?? entry).replace(/\.$/, '');
  if (name === '*') return true;
  if (isIP(name) !== 0) return isIP(host) !== 0 && sameAddress(name, host);
  const bare = name.replace(/^\*?\./, '');
  const isBelowOnly = name.startsWith('*.');
  return (host === bare && !isBelowOnly) || host.endsWith(`.${bare}`);
}

const sameAddress = (one: string, other: string): boolean =>
  isInSubnet(other, one, isIP(one) === 4 ? 32 : 128);

const portOf = (url: URL): number =>
  url.port === '' ? DEFAULT_PORTS[url.protocol === 'https:' ? 'https' : 'http'] : Number(url.port);

/**
 * How an environment says that an address is reached: `HTTPS_PROXY` for `https://`, `HTTP_PROXY` for `http://`, `ALL_PROXY` for both where theirs is
 * not set, `NO_PROXY`, in capitals or not; where it names none, what the window found ({@link FOUND}). Never a proxy for this machine itself. Pure.
 */
export function routeFor(address: string, env: Environment): Route {
  if (!URL.canParse(address)) return DIRECT;
  const url = new URL(address);
  if (isLoopback(url.hostname)) return DIRECT;
  const named = firstSet(env, FOR_SCHEME[url.protocol] ?? []);
  if (named !== null) {
    const exempt = firstSet(env, spellings('NO_PROXY'))?.value ?? '';
    return isExempt(url.hostname, portOf(url), exempt)
      ? DIRECT
      : readProxy(named.value, named.name);
  }
  if (namesProxy(env)) return DIRECT;
  const found = env[FOUND.proxy] ?? '';
  return found === '' || isExempt(url.hostname, portOf(url), env[FOUND.exempt] ?? '')
    ? DIRECT
    : readProxy(found, DESKTOP);
}

const PAC_SCHEMES: Readonly<Record<string, string>> = {
  PROXY: 'http',
  HTTP: 'http',
  HTTPS: 'https',
  SOCKS: 'socks5',
  SOCKS5: 'socks5',
  SOCKS4: 'socks4',
};

/**
 * What a desktop answers for an address, in the words of proxy configuration files: `PROXY proxy:3128; SOCKS5 other:1080; DIRECT`. The first that can
 * be used counts. Pure.
 */
export function routeOfPac(answer: string): Route {
  const routes = answer
    .split(';')
    .map((one) => one.trim().split(/\s+/))
    .flatMap(([kind = '', host = '']): Route[] => {
      if (kind.toUpperCase() === 'DIRECT') return [DIRECT];
      const scheme = PAC_SCHEMES[kind.toUpperCase()];
      return scheme === undefined || host === '' ? [] : [readProxy(`${scheme}://${host}`, DESKTOP)];
    });
  return routes.find(({ kind }) => kind !== 'unusable') ?? routes[0] ?? DIRECT;
}
