import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { nodeRuntimeFor } from '../main/platform/node-runtime.ts';

/** Where the parts of the program lie, told from where this file runs: `src/cli` in development, `out/cli` when built or installed. */
export interface ProgramFiles {
  /** The folder with package.json. */
  readonly root: string;
  readonly version: string;
  /** The folder that hosts get: `agent.mjs`, the native checksum beside it, `manifest.json`. */
  readonly agentFolder: string;
  /** A Node.js of version 24 or newer. */
  readonly nodeRuntime: string;
  /** What to hand to Node.js to start the embedded Google. */
  readonly emulator: string;
  /** What to hand to Node.js to start this command line again. */
  readonly commandLine: string;
  readonly examples: string;
}

/** The folder in which an installed application has what lies outside its archive. */
const PACKAGED = 'app.asar.unpacked';

const packageSchema = z.object({ name: z.literal('trainyard'), version: z.string() });

export function findProgramFiles(from: string = import.meta.dirname): ProgramFiles {
  const { root, version } = findRoot(from);
  if (path.basename(root) === PACKAGED) return packagedFiles(root, version);
  const built = path.relative(root, from).split(path.sep)[0] === 'out';
  const emulator = path.join(root, 'out', 'emulator', 'emulator.mjs');
  return {
    root,
    version,
    agentFolder: path.join(root, 'out', 'agent'),
    nodeRuntime: nodeRuntimeFor([path.join(root, 'node_modules')]) ?? process.execPath,
    emulator:
      built || existsSync(emulator) ? emulator : path.join(root, 'src', 'emulator', 'main.ts'),
    commandLine: built
      ? path.join(root, 'out', 'cli', 'trainyard.mjs')
      : path.join(root, 'src', 'cli', 'main.ts'),
    examples: path.join(root, 'examples'),
  };
}

/** As electron-builder.yml lays an installed application out: the command line beside the archive, all else beside that. */
function packagedFiles(root: string, version: string): ProgramFiles {
  const resources = path.dirname(root);
  return {
    root,
    version,
    agentFolder: path.join(resources, 'agent'),
    nodeRuntime: nodeRuntimeFor([resources]) ?? process.execPath,
    emulator: path.join(resources, 'emulator', 'emulator.mjs'),
    commandLine: path.join(root, 'out', 'cli', 'trainyard.mjs'),
    examples: path.join(resources, 'examples'),
  };
}

function findRoot(from: string): { root: string; version: string } {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const file = path.join(folder, 'package.json');
    if (existsSync(file)) {
      const parsed = packageSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
      if (parsed.success) return { root: folder, version: parsed.data.version };
    }
    if (folder === path.dirname(folder))
      throw new Error(`No package.json of Trainyard above ${from}.`);
  }
}
