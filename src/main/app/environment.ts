import type { Environment } from '../platform/paths.ts';

/** The environment for whatever the application starts: without the switches that would turn a child into an Electron of ours. Pure. */
export function environmentForChildren(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^(ELECTRON|CHROME)_/.test(name)),
  );
}
