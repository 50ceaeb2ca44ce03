import type { Dispatcher } from 'undici';
import { dispatcherFor } from '../google/proxied-fetch.ts';
import { routeOf } from '../google/proxy.ts';
import { trustedContext } from '../google/trust.ts';

/**
 * Connections of its own to the storage endpoint, through the proxy that is set for it. This file is loaded when a transfer begins: what speaks HTTP is
 * the largest part of the agent, and a job without a bucket needs none of it.
 */
export async function connectionsTo(storage: string, connections: number): Promise<Dispatcher> {
  const route = await routeOf(storage);
  const isPlain = route.kind === 'direct' && storage.startsWith('http:');
  return dispatcherFor(route, {
    connections,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    secureContext: isPlain ? null : trustedContext(),
  });
}
