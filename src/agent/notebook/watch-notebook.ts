import { once } from 'node:events';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { notebookServerSchema, type NotebookServer } from '../../shared/notebook.ts';
import { problem, type Problem } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import { readJson, sleep } from '../files.ts';
import { isAlive, sendSignal } from '../identity.ts';
import type { JobRun } from '../run.ts';
import { isOwnPeer } from '../token-server/peer.ts';
import { readWorker } from '../workers.ts';

const LOOK_EVERY = 300;
const ANSWER_TIME = 10_000;
const TAKE_TIME = 2_000;

export interface NotebookWatch {
  /** Ends it; why the notebook may not go on, or null. */
  end(): Promise<Problem | null>;
}

/**
 * Looks at the Jupyter of a run until it answers, and tells so (`notebook-ready`), once an attempt. One that answers to anybody is ended: the user's
 * own configuration may have taken its token away.
 */
export function watchNotebook(run: JobRun): NotebookWatch {
  const end = new AbortController();
  const watching = watch(run, end.signal);
  return {
    async end() {
      end.abort();
      return watching;
    },
  };
}

async function watch(run: JobRun, signal: AbortSignal): Promise<Problem | null> {
  while (!signal.aborted) {
    const server = readJson(run.at(RUN.notebookServer), notebookServerSchema);
    const { started, exit } = readWorker(run, 0);
    const runs = started !== null && exit === null && isAlive(started.process);
    const answer = runs && server !== null ? await look(server) : 'nothing';
    if (answer === 'ready' && server !== null) {
      const { program, version } = server;
      run.events.append({ kind: 'notebook-ready', program, version });
      return null;
    }
    if (answer === 'open') {
      const { supervisor } = readWorker(run, 0);
      if (supervisor !== null) sendSignal(supervisor.pid, 'SIGTERM');
      return openToAll(run);
    }
    await sleep(LOOK_EVERY, signal);
  }
  return null;
}

/** `open`: it answers without the token. */
async function look(server: NotebookServer): Promise<'nothing' | 'open' | 'ready'> {
  const without = await ask(server.port, null);
  if (without === null) return 'nothing';
  if (without < 300) return 'open';
  return (await ask(server.port, server.token)) === 200 ? 'ready' : 'nothing';
}

/** The status of the answer; null where there is none, or where the other end is not known to be of this user: it then is told nothing. */
async function ask(port: number, token: string | null): Promise<number | null> {
  const socket = connect({ port, host: '127.0.0.1', timeout: ANSWER_TIME });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(ANSWER_TIME) });
    if (!(await isOwn(socket))) return null;
    return await new Promise((resolve, reject) => {
      const headers = token === null ? {} : { authorization: `token ${token}` };
      const request = get(
        { host: '127.0.0.1', port, path: '/api/status', headers, createConnection: () => socket },
        (response) => resolve(response.statusCode ?? null),
      );
      request.on('error', reject);
      socket.on('timeout', () => reject(new Error('no answer')));
    });
  } catch {
    return null;
  } finally {
    socket.destroy();
  }
}

/** A connection is nobody's until the other end takes it. */
async function isOwn(socket: Socket): Promise<boolean> {
  const until = performance.now() + TAKE_TIME;
  for (;;) {
    if (await isOwnPeer(socket)) return true;
    if (performance.now() > until) return false;
    await sleep(50);
  }
}

function openToAll(run: JobRun): Problem {
  return problem({
    code: 'host.notebook-open',
    op: 'start the notebook',
    subject: run.plan.name,
    message:
      'Jupyter answered without its token, to every user of this machine, and was ended. A configuration of your own takes the token away.',
    hint: `Look in \`jupyter --paths\` for a jupyter_lab_config or jupyter_server_config that sets a token or an identity provider, then: trainyard retry ${run.plan.id}`,
  });
}
