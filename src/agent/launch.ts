import { bytesOfText, isRaw } from '../shared/raw-text.ts';
import { findBash, systemTool } from './environment/find-program.ts';
import type { SoftLimit } from './environment/soft-limits.ts';

export interface CommandToLaunch {
  /** For `bash -c`. */
  readonly command: string;
  /** Values may hold any bytes: see `raw-text.ts`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Octal. */
  readonly umask: string;
  readonly limits: readonly SoftLimit[];
}

/** What is to be started, and what is to be written to its pipe 3 once it may begin. */
export interface Launch {
  readonly program: string;
  readonly parameters: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly go: Buffer;
}

/**
 * Waits on pipe 3 until it may begin (it never does where the pipe only ends), takes from there the variables that are no UTF-8, which Node.js cannot
 * hand on, sets the mask and the limits, and becomes the command. It is bash with `-p`: that hands on whatever it was given, functions and odd names
 * too, where another `/bin/sh` drops them, and reads no `BASH_ENV`. What `-p` changes of `SHELLOPTS` is put back.
 */
const GATE = [
  'IFS= read -r -d "" __trainyard <&3 || exit 125',
  'while IFS= read -r -d "" __trainyard <&3; do export "$__trainyard"; done',
  'exec 3<&-',
  'umask "$2"',
  'for __trainyard in $4; do ulimit -S"${__trainyard%%=*}" "${__trainyard#*=}" 2>/dev/null; done',
  'unset __trainyard',
  'if [ -n "$5" ]; then exec "$6" SHELLOPTS="$5" "$3" -c -- "$1"; fi',
  'exec -a bash "$3" -c -- "$1"',
].join('; ');

/** Null where the machine has no bash. Not pure: it looks where bash is. */
export function launchOf({ command, environment, umask, limits }: CommandToLaunch): Launch | null {
  const bash = findBash(environment['PATH']);
  if (bash === null) return null;
  const entries = Object.entries(environment);
  const raw = entries.filter(
    ([name, value]) => isRaw(value) && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name),
  );
  const plain = entries.filter(
    ([name, value]) => name !== 'SHELLOPTS' && !isRaw(name) && !isRaw(value),
  );
  const set = limits.map(([flag, value]) => `${flag}=${value}`).join(' ');
  return {
    program: bash,
    parameters: [
      '-p',
      '-c',
      GATE,
      'bash',
      command,
      umask,
      bash,
      set,
      environment['SHELLOPTS'] ?? '',
      systemTool('env'),
    ],
    environment: Object.fromEntries(plain),
    go: Buffer.concat([
      Buffer.from('go\0'),
      ...raw.map(([name, value]) => Buffer.concat([bytesOfText(`${name}=${value}`), NUL])),
    ]),
  };
}

const NUL = Buffer.from([0]);

/** Why a command could not be launched, from the system's error. Pure. */
export function launchFailure(code: string | undefined, message: string): string {
  return code === 'E2BIG'
    ? 'its command and its environment together are longer than the system takes (E2BIG). Put what is long into a file.'
    : message;
}
