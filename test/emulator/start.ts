import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FaultReport } from '../../src/emulator/faults/register.ts';
import type { FaultRuleInput } from '../../src/emulator/faults/rules.ts';
import { startHosted, startProcess, type StartedProgram } from './start-program.ts';

export interface EmulatorOptions {
  /** Requests without a token may do everything. */
  readonly open?: boolean;
  /**
   * Service accounts `NAME@demo-project.iam.gserviceaccount.com` with a key each. `path`: where the key file is written, or one that
   * exists; without it the file lies in the helper's temporary folder, gone after `stop`.
   */
  readonly accounts?: readonly { readonly name: string; readonly path?: string }[];
  /** `EMAIL=ROLE-OR-PERMISSION@BUCKET[@EXPRESSION]`. */
  readonly grants?: readonly string[];
  /** E-mail addresses that may do everything. */
  readonly admins?: readonly string[];
  readonly tokenLifetimeSeconds?: number;
  /** Where objects are kept and survive a stop. */
  readonly dir?: string;
  /** What goes wrong from the start on (docs/emulator.md); `setFaults` changes it. */
  readonly faults?: readonly FaultRuleInput[];
  /** Further arguments, as they are. */
  readonly flags?: readonly string[];
  /** A process of its own, also where a host of emulators is there: to be killed, or measured. One with a `dir` always has one. */
  readonly ownProcess?: boolean;
}

/** A line of the emulator's request log. */
export interface LoggedRequest {
  readonly time: string;
  readonly method: string;
  readonly path: string;
  readonly bucket: string | null;
  readonly object: string | null;
  readonly status: number;
  readonly bytes: number;
  readonly account: string | null;
  /** The names of the fault rules that befell it. */
  readonly faults?: readonly string[];
}

export interface RunningEmulator {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Of its process, which it may share with others: see `ownProcess`. */
  readonly pid: number;
  /** The four variables that it printed. */
  readonly environment: Readonly<Record<string, string>>;
  /** Name of an account to the path of its key file. */
  readonly keyFiles: Record<string, string>;
  /** What was asked so far, oldest first. */
  requestLog(): Promise<LoggedRequest[]>;
  /** Puts fault rules in force, in place of those that were. Throws when one is wrong. */
  setFaults(rules: readonly FaultRuleInput[]): Promise<void>;
  /** The rules in force, with how many requests each matched and how often its fault happened. */
  firedFaults(): Promise<readonly FaultReport[]>;
  /** Ends the process and removes the helper's temporary folder. May be called twice. */
  stop(): Promise<void>;
}

/** The e-mail address of an account made by {@link startEmulator}. */
export function emailOf(name: string, project = 'demo-project'): string {
  return `${name}@${project}.iam.gserviceaccount.com`;
}

/**
 * Starts an emulator on a free port: in the host of this test worker where there is one and its options allow it, otherwise as a child process. Throws,
 * with its last words, when it does not listen within 20 s.
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<RunningEmulator> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-emulator-test-'));
  const requestLogFile = join(folder, 'requests.jsonl');
  const keyFiles: Record<string, string> = {};
  const argv = ['--port', '0', '--request-log', requestLogFile, '--allow-faults'];
  if (options.faults !== undefined) {
    const faultsFile = join(folder, 'faults.json');
    await writeFile(faultsFile, JSON.stringify({ rules: options.faults }));
    argv.push('--faults', faultsFile);
  }
  if (options.open === true) argv.push('--open');
  if (options.dir !== undefined) argv.push('--dir', options.dir);
  if (options.tokenLifetimeSeconds !== undefined)
    argv.push('--token-lifetime', String(options.tokenLifetimeSeconds));
  for (const account of options.accounts ?? []) {
    const path = account.path ?? join(folder, `${account.name}.json`);
    keyFiles[account.name] = path;
    argv.push('--account', path);
  }
  for (const grant of options.grants ?? []) argv.push('--grant', grant);
  for (const admin of options.admins ?? []) argv.push('--admin', admin);
  argv.push(...(options.flags ?? []));

  const hasOwnProcess = options.ownProcess === true || options.dir !== undefined;
  let started: StartedProgram;
  try {
    started = (hasOwnProcess ? null : await startHosted(argv)) ?? (await startProcess(argv));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const { environment, pid } = started;
  const stop = async (): Promise<void> => {
    await started.stop();
    // A request that was cut off writes its line late.
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  };
  const url = environment['STORAGE_EMULATOR_HOST'] ?? '';
  const askFaults = async (
    method: 'GET' | 'PUT',
    rules?: readonly FaultRuleInput[],
  ): Promise<readonly FaultReport[]> => {
    const response = await fetch(`${url}/trainyard/faults`, {
      method,
      ...(rules === undefined ? {} : { body: JSON.stringify({ rules }) }),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`The fault rules were refused: ${text}`);
    return (JSON.parse(text) as { rules: FaultReport[] }).rules;
  };
  return {
    url,
    pid,
    environment,
    keyFiles,
    requestLog: async () => {
      const text = await readFile(requestLogFile, 'utf8').catch(() => '');
      // The last piece is empty, or a line that is being written.
      return text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as LoggedRequest);
    },
    setFaults: async (rules) => {
      await askFaults('PUT', rules);
    },
    firedFaults: () => askFaults('GET'),
    stop,
  };
}
