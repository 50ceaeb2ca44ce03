import { Agent, EnvHttpProxyAgent, type Dispatcher } from 'undici';
import { agentOptions, isLoopback, proxySettings } from '../google/proxy.ts';

/**
 * Connections of its own to the storage endpoint, through the proxy of the environment unless that is this machine. This file is loaded when a transfer
 * begins: what speaks HTTP is the largest part of the agent, and a job without a bucket needs none of it.
 */
export function connectionsTo(storage: string, connections: number): Dispatcher {
  const options = {
    connections,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    connect: { timeout: 15_000 },
  };
  const proxy = isLoopback(new URL(storage).hostname) ? null : proxySettings(process.env);
  return proxy === null
    ? new Agent(options)
    : new EnvHttpProxyAgent({ ...options, ...agentOptions(proxy) });
}
