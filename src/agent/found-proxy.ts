import { FOUND, namesProxy } from '../google/routes.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What the window found in the desktop's settings, for this agent's own processes; no worker sees it. Pure. */
export function foundProxy(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.values(FOUND).flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The same in the words of git and others, where their environment names no proxy. Pure. */
export function proxyForPrograms(
  agent: Environment,
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const proxy = agent[FOUND.proxy] ?? '';
  if (proxy === '' || namesProxy(environment)) return { ...environment };
  const exempt = ['localhost', '127.0.0.1', '::1', agent[FOUND.exempt] ?? ''];
  return {
    ...environment,
    http_proxy: proxy,
    https_proxy: proxy,
    no_proxy: exempt.filter((one) => one !== '').join(','),
  };
}
