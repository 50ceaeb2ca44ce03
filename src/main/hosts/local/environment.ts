import type { Environment } from '../../platform/paths.ts';

/**
 * The environment of an agent: the user's, less Trainyard's own controls, which may name secrets, and less what bends a Node.js program.
 * Pure.
 */
export function agentEnvironment(env: Environment): Environment {
  const dropped =
    /^(TRAINYARD_|ELECTRON_|NODE_OPTIONS$|NODE_CHANNEL_|NODE_V8_COVERAGE$|NODE_TLS_REJECT_UNAUTHORIZED$|NODE_USE_ENV_PROXY$|npm_)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !dropped.test(name)));
}
