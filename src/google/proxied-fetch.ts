import { isIP, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { Agent, buildConnector, Pool, ProxyAgent, Socks5ProxyAgent, type Dispatcher } from 'undici';
import {
  ProxyFailedError,
  ProxySettingError,
  refusalOfConnect,
  refusalOfSocks,
} from './proxy-faults.ts';
import { shownProxy, type Proxy, type Route } from './routes.ts';

/**
 * What speaks to proxies, loaded at the first use. undici is CommonJS: a bundle in parts gives the names of such a module to a static import alone, so
 * that `import()` names this file, never the package itself.
 */
export { fetch } from 'undici';

export interface DispatcherOptions {
  /** At most so many at once, milliseconds and counts as undici has them. */
  readonly connections?: number;
  readonly pipelining?: number;
  readonly keepAliveTimeout?: number;
  /** The certificates that are trusted; null: those of Node.js. */
  readonly secureContext: SecureContext | null;
}

/** Until a connection stands, and until a proxy has answered. Milliseconds. */
const CONNECT_TIME = 15_000;

/** What carries requests along a route. Its errors: those of undici, and the three of `proxy-faults.ts`. */
export function dispatcherFor(
  route: Route,
  { secureContext, ...options }: DispatcherOptions,
): Dispatcher {
  const tls = {
    timeout: CONNECT_TIME,
    // Also where NODE_TLS_REJECT_UNAUTHORIZED=0 is set.
    rejectUnauthorized: true,
    ...(secureContext === null ? {} : { secureContext }),
  };
  switch (route.kind) {
    case 'direct':
      return new Agent({ ...options, connect: tls });
    case 'unusable':
      return new Agent({
        ...options,
        connect: (_asked, callback) => callback(new ProxySettingError(route), null),
      });
    case 'proxy':
      return route.proxy.scheme === 'socks5'
        ? throughSocks(route.proxy, { tls, options })
        : throughConnect(route.proxy, { tls, options });
  }
}

interface Carrier {
  readonly tls: buildConnector.BuildOptions;
  readonly options: Omit<DispatcherOptions, 'secureContext'>;
}

/** By CONNECT always: the proxy sees the host, never an address, header or byte. */
function throughConnect(proxy: Proxy, { tls, options }: Carrier): Dispatcher {
  return new ProxyAgent({
    ...options,
    uri: shownProxy(proxy),
    proxyTunnel: true,
    requestTls: tls,
    ...(proxy.user === null
      ? {}
      : {
          token: `Basic ${Buffer.from(`${proxy.user}:${proxy.password ?? ''}`).toString('base64')}`,
        }),
    clientFactory: (origin) => new TunnelPool(origin, proxy, tls),
  });
}

/** Connections to a proxy itself, whose answer to CONNECT is told as what it is. */
class TunnelPool extends Pool {
  readonly #proxy: Proxy;

  constructor(origin: URL, proxy: Proxy, tls: buildConnector.BuildOptions) {
    // An answer to CONNECT is waited for as long as a connection is.
    super(origin, { connect: tls, headersTimeout: CONNECT_TIME });
    this.#proxy = proxy;
  }

  override connect(options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData>;
  override connect(
    options: Dispatcher.ConnectOptions,
    callback: (error: Error | null, data: Dispatcher.ConnectData) => void,
  ): void;
  override connect(
    options: Dispatcher.ConnectOptions,
    callback?: (error: Error | null, data: Dispatcher.ConnectData) => void,
  ): Promise<Dispatcher.ConnectData> | undefined {
    if (callback !== undefined) throw new Error('A tunnel is asked for with a promise.');
    return this.#tunnel(options);
  }

  async #tunnel(options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> {
    // No certificate has an address for its name in the hello of TLS.
    const named = isIP(this.#proxy.host.replace(/^\[|\]$/g, '')) === 0 ? {} : { servername: '' };
    const answer = await super.connect({ ...options, ...named }).catch((error: unknown) => {
      throw new ProxyFailedError(this.#proxy, error);
    });
    const authenticate = answer.headers['proxy-authenticate'];
    const refusal = refusalOfConnect(this.#proxy, answer.statusCode, authenticate);
    if (refusal === null) return answer;
    answer.socket.on('error', () => undefined).destroy();
    throw refusal;
  }
}

/** The part of undici's SOCKS agent that its types leave out. */
type SocksConnection = (host: string, port: number) => Promise<Socket>;

function throughSocks(proxy: Proxy, { tls, options }: Carrier): Dispatcher {
  const agent = quietly(
    () =>
      new Socks5ProxyAgent(shownProxy(proxy), {
        ...options,
        requestTls: tls,
        connect: buildConnector({ timeout: CONNECT_TIME }),
        ...(proxy.user === null ? {} : { username: proxy.user, password: proxy.password ?? '' }),
      }),
  );
  const connection = agent as unknown as { createSocks5Connection: SocksConnection };
  const create = connection.createSocks5Connection.bind(agent);
  connection.createSocks5Connection = async (host, port) => {
    try {
      return await create(host, port);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      throw refusalOfSocks(proxy, code) ?? new ProxyFailedError(proxy, error);
    }
  };
  return agent;
}

/** undici warns of its SOCKS agent on the error output of the process, once: users read there what concerns them. */
function quietly<T>(make: () => T): T {
  const warning = Object.getOwnPropertyDescriptor(process, 'emitWarning');
  process.emitWarning = () => undefined;
  try {
    return make();
  } finally {
    if (warning !== undefined) Object.defineProperty(process, 'emitWarning', warning);
  }
}
