import path from 'node:path';
import * as z from 'zod';
import { readJson } from './files.ts';

/** Set by the bundler. */
declare const __TRAINYARD_VERSION__: string | undefined;

const withVersion = z.object({ version: z.string() });

/** The version of this program: of the folder it was placed in, or in development of the repository. */
export function agentVersion(): string {
  const here = import.meta.dirname;
  return (
    readJson(path.join(here, 'manifest.json'), withVersion)?.version ??
    readJson(path.join(here, '../../package.json'), withVersion)?.version ??
    (typeof __TRAINYARD_VERSION__ === 'string' ? __TRAINYARD_VERSION__ : 'unknown')
  );
}
