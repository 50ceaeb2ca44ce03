import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { dirname, join, sep } from 'node:path';
import * as z from 'zod';
import type { Environment } from '../platform/paths.ts';
import { KeychainLeft, KeychainNotLoaded, loadKeytar, type Keytar } from './keytar.ts';
import { fail, ok, type Result } from '../../shared/problem.ts';

/** A keychain library whose calls can be left. */
export interface KeychainCalls extends Keytar {
  /** Leaves what was not answered: those calls fail, and the next one begins anew. */
  leave(): void;
}

/** What the helper's process is started with. */
interface HelperFiles {
  /** A Node.js program. */
  readonly node: string;
  /** `keychain-helper`: a source in a checkout, else built. */
  readonly program: string;
  /** The native library. */
  readonly addon: string;
}

/**
 * Where the helper is; null where there is no Node.js for it, or no library. On macOS a keychain lets the program in that put an item there, so the
 * application asks for itself.
 */
export function helperFiles(node: string | null): HelperFiles | null {
  const isElectron = process.versions['electron'] !== undefined;
  if (isElectron && process.platform === 'darwin') return null;
  const runtime = isElectron ? node : process.execPath;
  const { resourcesPath } = process as { readonly resourcesPath?: string };
  const here = import.meta.dirname;
  const program = [
    join(here, 'keychain-helper.ts'),
    ...(resourcesPath === undefined ? [] : [join(resourcesPath, 'keychain', 'keychain.mjs')]),
    join(here, '..', 'keychain', 'keychain.mjs'),
  ].find((file) => existsSync(file));
  const addon = nativeFile();
  if (runtime === null || !existsSync(runtime) || program === undefined || addon === null)
    return null;
  return { node: runtime, program, addon };
}

/** The library's native file; of a packaged application the one outside its archive, which Node.js cannot read. */
function nativeFile(): string | null {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('keytar/package.json'));
    const outside = folder.replace(`${sep}app.asar${sep}`, `${sep}app.asar.unpacked${sep}`);
    return (
      [
        join(outside, 'build', 'Release', 'keytar.node'),
        join(outside, 'prebuilds', `${process.platform}-${process.arch}`, 'keytar.node'),
      ].find((file) => existsSync(file)) ?? null
    );
  } catch {
    return null;
  }
}

const answerSchema = z.object({
  id: z.number(),
  value: z.unknown().optional(),
  error: z.string().optional(),
  cannotLoad: z.string().optional(),
});

/** Null: something else that a library printed. */
function parseAnswer(line: string): z.infer<typeof answerSchema> | null {
  try {
    return answerSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** How a keychain is reached from this process: through a helper where there is one, else in this very process. */
export function keychainLoader(node: string | null, env: Environment): () => Result<KeychainCalls> {
  let calls: KeychainCalls | null = null;
  return () => {
    if (calls !== null) return ok(calls);
    const files = helperFiles(node);
    if (files !== null) {
      calls = throughHelper(files, helperEnvironment(env));
      return ok(calls);
    }
    const loaded = loadKeytar();
    return loaded.ok ? ok({ ...loaded.value, leave: () => undefined }) : fail(loaded.problem);
  };
}

/** What the helper needs of the environment: the session's addresses, and none of Trainyard's own settings. */
const helperEnvironment = (env: Environment): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(TRAINYARD|NODE|ELECTRON|VITEST)_/.test(name)),
  );

/** A process that lives from the first call until this one ends. It never keeps this process from ending. */
function throughHelper(files: HelperFiles, env: NodeJS.ProcessEnv): KeychainCalls {
  let child: ChildProcess | null = null;
  let next = 0;
  const pending = new Map<number, Pending>();

  const lose = (lost: ChildProcess, why: Error): void => {
    if (child !== lost) return;
    child = null;
    const waiting = [...pending.values()];
    pending.clear();
    for (const { reject } of waiting) reject(why);
  };
  /** While a call waits this process does; otherwise the helper is no reason to go on. */
  const hold = ({ stdin, stdout }: ChildProcess, isHeld: boolean): void => {
    for (const pipe of [stdin, stdout] as readonly unknown[] as readonly Socket[])
      if (isHeld) pipe.ref();
      else pipe.unref();
  };
  const begin = (): ChildProcess => {
    const begun = spawn(files.node, [files.program, files.addon], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env,
      windowsHide: true,
    });
    begun.unref();
    begun.on('error', (error) => lose(begun, error));
    begun.on('exit', () => lose(begun, new Error('its process ended')));
    begun.stdin.on('error', () => undefined);
    let read = '';
    begun.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${read}${text}`.split('\n');
      read = lines.pop() ?? '';
      lines.forEach(hear);
      if (pending.size === 0 && child === begun) hold(begun, false);
    });
    return begun;
  };
  const hear = (line: string): void => {
    const parsed = parseAnswer(line);
    if (parsed === null) return;
    const asked = pending.get(parsed.id);
    pending.delete(parsed.id);
    if (parsed.cannotLoad !== undefined) asked?.reject(new KeychainNotLoaded(parsed.cannotLoad));
    else if (parsed.error === undefined) asked?.resolve(parsed.value);
    else asked?.reject(new Error(parsed.error));
  };
  const call = async (method: keyof Keytar, ...words: readonly string[]): Promise<unknown> => {
    child ??= begin();
    const asked = child;
    hold(asked, true);
    next += 1;
    const id = next;
    return new Promise((resolve, reject) => {
      pending.set(id, { resolve, reject });
      asked.stdin?.write(`${JSON.stringify({ id, method, words })}\n`);
    });
  };
  const text = z.string().nullable();
  return {
    getPassword: async (service, account) =>
      text.parse(await call('getPassword', service, account)),
    setPassword: async (service, account, password) => {
      await call('setPassword', service, account, password);
    },
    deletePassword: async (service, account) =>
      z.boolean().parse(await call('deletePassword', service, account)),
    findCredentials: async (service) =>
      z
        .array(z.object({ account: z.string(), password: z.string() }))
        .parse(await call('findCredentials', service)),
    leave: () => {
      const left = child;
      if (left === null) return;
      left.kill('SIGKILL');
      lose(left, new KeychainLeft());
    },
  };
}
