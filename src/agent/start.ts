import { spawn } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  statfsSync,
} from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import {
  agentSecretsSchema,
  startAnswerSchema,
  type StartAnswer,
} from '../shared/agent-protocol.ts';
import { problem, type Problem } from '../shared/problem.ts';
import { RUN } from '../shared/run-directory.ts';
import { diskProblem } from './disk-problem.ts';
import { errorMessage, makeFolder, readAll } from './files.ts';
import { closeInherited } from './inherited.ts';
import { foundProxy } from './found-proxy.ts';
import { withoutControls } from './own-environment.ts';
import { sweepRuns } from './private-folder.ts';

/** Below this a run cannot even write its events. Bytes. */
const LEAST_ROOM = 16 * 1024 * 1024;

/** How long the agent may take to hold the lock and answer. Milliseconds. */
const ANSWER_TIME = 50_000;

/**
 * The verb `start`: starts the agent of a run, detached, and prints one {@link StartAnswer}. Exit status 0 when it started, 1 when not.
 */
export async function startAgent(directory: string): Promise<number> {
  closeInherited();
  const secrets = await readAll(process.stdin);
  const answer = await tryStart(directory, secrets);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  return answer.started ? 0 : 1;
}

async function tryStart(directory: string, secrets: string): Promise<StartAnswer> {
  const refusal = refuse(directory, secrets);
  if (refusal !== null) return { started: false, problem: refusal };
  try {
    sweepRuns(path.dirname(directory), directory);
    makeFolder(path.join(directory, RUN.logs));
    return await spawnAgent(directory, secrets);
  } catch (error) {
    const cause = diskProblem(error, 'start the run', directory);
    return { started: false, problem: cause ?? cannotStart(directory, errorMessage(error)) };
  }
}

function refuse(directory: string, secrets: string): Problem | null {
  const about = { op: 'start the run', subject: directory } as const;
  if (!existsSync(path.join(directory, RUN.plan)))
    return problem({
      ...about,
      code: 'input.no-plan',
      message: `${directory} holds no ${RUN.plan}: it is no run directory.`,
      hint: 'Give the folder of a run, or submit the job again.',
    });
  if (!agentSecretsSchema.safeParse(parseJson(secrets)).success)
    return problem({
      ...about,
      code: 'input.secrets',
      message: 'What came over stdin is not what this agent expects there.',
      hint: 'Start the run through Trainyard, of the same version as this agent.',
    });
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    return diskProblem(error, about.op, directory) ?? cannotStart(directory, errorMessage(error));
  }
  const disk = statfsSync(directory);
  const free = disk.bavail * disk.bsize;
  if (free < LEAST_ROOM)
    return problem({
      ...about,
      code: 'host.no-room',
      message: `The disk of ${directory} is full: ${free} bytes are free.`,
      hint: 'Make room on that disk, then try again.',
    });
  return null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The agent did not come as far as to carry the run. */
export function cannotStart(directory: string, reason: string): Problem {
  return problem({
    code: 'host.agent-not-started',
    op: 'start the run',
    subject: directory,
    message: `The agent could not be started: ${reason}`,
    hint: `${path.join(directory, RUN.agentLog)} may say more.`,
  });
}

async function spawnAgent(directory: string, secrets: string): Promise<StartAnswer> {
  const program = process.argv[1];
  if (program === undefined) throw new Error('the path of the program is unknown');
  const logFile = path.join(directory, RUN.agentLog);
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, [program, 'carry', directory], {
    cwd: directory,
    detached: true,
    env: { ...withoutControls(process.env), ...foundProxy(process.env) },
    stdio: ['pipe', log, log, 'pipe'],
  });
  closeSync(log);
  const failed = new Promise<string>((resolve) =>
    child.once('error', (error) => resolve(error.message)),
  );
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(secrets);
  const answers = child.stdio[3] as Readable | null;
  if (answers === null) throw new Error('the agent has no way to answer');
  const timer = setTimeout(() => child.kill('SIGKILL'), ANSWER_TIME);
  const text = await Promise.race([readAll(answers).catch(() => ''), failed]);
  clearTimeout(timer);
  child.unref();
  const answer = startAnswerSchema.safeParse(parseJson(text));
  return answer.success
    ? answer.data
    : { started: false, problem: cannotStart(directory, lastLine(logFile)) };
}

function lastLine(file: string): string {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.at(-1) ?? 'it ended without an answer';
}
