import { execFile } from 'node:child_process';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { withOwnVariables } from '../own-variables.ts';
import type { JobRun } from '../run.ts';

/** A Jupyter of the user's own. */
export interface Jupyter {
  /** The command and its first arguments. */
  readonly command: readonly string[];
  /** `jupyter-lab` or `jupyter-notebook`. */
  readonly program: 'jupyter-lab' | 'jupyter-notebook';
  readonly version: string;
}

const CANDIDATES: readonly Omit<Jupyter, 'version'>[] = [
  { command: ['jupyter-lab'], program: 'jupyter-lab' },
  { command: ['jupyter', 'lab'], program: 'jupyter-lab' },
  { command: ['jupyter-notebook'], program: 'jupyter-notebook' },
  { command: ['jupyter', 'notebook'], program: 'jupyter-notebook' },
];

/** A Python of a network disk starts slowly. Milliseconds. */
const VERSION_TIME = 60_000;

/** Until the run is over: a Jupyter takes seconds to tell its version. */
const found = new Map<string, Jupyter>();

/**
 * The Jupyter that a worker would find in its `PATH`: Lab first, then Notebook. Errors: `host.no-jupyter`.
 */
export async function findJupyter(run: JobRun): Promise<Result<Jupyter>> {
  const known = found.get(run.directory);
  if (known !== undefined) return ok(known);
  const environment = withOwnVariables((await run.environment()).variables, run.plan.env);
  for (const candidate of CANDIDATES) {
    const version = await versionOf(candidate.command, environment);
    if (version === null) continue;
    const jupyter = { ...candidate, version };
    found.set(run.directory, jupyter);
    return ok(jupyter);
  }
  return fail(
    problem({
      code: 'host.no-jupyter',
      op: 'start the notebook',
      subject: run.plan.name,
      message:
        'There is no Jupyter on this machine: the PATH of your login shell leads neither to jupyter-lab nor to jupyter-notebook.',
      hint: `Install one where your login shell finds it: \`pip install jupyterlab\` in its Python environment, or \`sudo apt install jupyter-notebook\`. Then: trainyard retry ${run.plan.id}`,
    }),
  );
}

function versionOf(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string | null> {
  const [program = '', ...rest] = command;
  return new Promise((resolve) => {
    execFile(
      program,
      [...rest, '--version'],
      { env: { ...environment }, timeout: VERSION_TIME, killSignal: 'SIGKILL' },
      (error, stdout) =>
        resolve(error === null ? (/^\d+\.\d+\S*/m.exec(stdout)?.[0] ?? null) : null),
    );
  });
}

/** Whether it is configured as `NotebookApp`: Notebook before 7 and Lab before 3; later ones as `ServerApp`. Pure. */
export function isClassic({ program, version }: Pick<Jupyter, 'program' | 'version'>): boolean {
  const major = Number.parseInt(version, 10);
  return program === 'jupyter-notebook' ? major < 7 : major < 3;
}
