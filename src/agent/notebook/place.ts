import { randomBytes, randomInt } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { notebookAddress, type NotebookServer } from '../../shared/notebook.ts';
import { RUN, workerCode } from '../../shared/run-directory.ts';
import { makeFolder, writeJsonAtomic } from '../files.ts';
import type { JobRun } from '../run.ts';
import { isClassic, type Jupyter } from './find-jupyter.ts';

/** Below the ports that systems give to outgoing connections, beside those of the token server. */
const PORTS = [30_000, 32_000] as const;
const TRIES = 50;

/** What a worker gets that is a notebook. */
export interface PlacedNotebook {
  readonly command: string;
  /** Its token, which some versions write into their log. */
  readonly secret: string;
  /** Over the worker's own. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Variables that would lead a Jupyter elsewhere than its configuration says, or say that it belongs to another one. */
const OF_ANOTHER =
  /^(JUPYTER_(TOKEN|PORT|PORT_RETRIES|RUNTIME_DIR|SERVER_.*)|JUPYTERHUB_.*|JPY_.*)$/;

/**
 * Puts in place what Jupyter is started with, in `private/`: its token, its configuration (0600), and the folder in which it keeps what it needs
 * at run time, which holds the token, a cookie's secret and the keys of kernels. The command line, which every user can read, names the
 * configuration alone. The user's own `jupyter_*_config` is not read by Notebook and the server; their extensions and settings are.
 */
export async function placeNotebook(
  run: JobRun,
  jupyter: Jupyter,
  environment: Readonly<Record<string, string>>,
): Promise<PlacedNotebook> {
  const folder = run.at(RUN.notebook);
  rmSync(folder, { recursive: true, force: true });
  const runtime = path.join(folder, 'runtime');
  for (const each of [folder, runtime]) makeFolder(each);
  const { program, version } = jupyter;
  const server: NotebookServer = {
    port: await freePort(),
    token: randomBytes(32).toString('hex'),
    program,
    version,
  };
  const config = path.join(folder, 'config.json');
  writeJsonAtomic(config, configuration(run, jupyter, server));
  writeFileSync(run.at(RUN.notebookPage), pageFor(server), { mode: 0o600, flag: 'wx' });
  writeJsonAtomic(run.at(RUN.notebookServer), server);
  const words = [
    ...jupyter.command,
    `--config=${config}`,
    '--no-browser',
    '--ip=127.0.0.1',
    `--port=${server.port}`,
    '--port-retries=0',
  ];
  return {
    command: `exec ${words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')}`,
    secret: server.token,
    environment: {
      ...Object.fromEntries(Object.entries(environment).filter(([name]) => !OF_ANOTHER.test(name))),
      JUPYTER_RUNTIME_DIR: runtime,
    },
  };
}

/** Pages of other origins, other hosts' names and callers without the token are refused. */
function configuration(run: JobRun, jupyter: Jupyter, { port, token }: NotebookServer): object {
  const folder = run.at(workerCode(0));
  const common = {
    ip: '127.0.0.1',
    port,
    port_retries: 0,
    open_browser: false,
    allow_remote_access: false,
    allow_origin: '',
    allow_origin_pat: '',
    disable_check_xsrf: false,
    // Jupyter refuses root without it; who runs Trainyard as root has chosen that already.
    allow_root: process.getuid?.() === 0,
    token,
  };
  return isClassic(jupyter)
    ? { NotebookApp: { ...common, password: '', notebook_dir: folder } }
    : {
        ServerApp: { ...common, root_dir: folder },
        IdentityProvider: { token },
      };
}

/** Leads a browser there; so does Jupyter's own, and for the same reason. */
function pageFor(server: NotebookServer): string {
  const address = notebookAddress(server);
  return `<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url=${address}">
<title>Trainyard notebook</title>
<p><a href="${address}">Open the notebook</a></p>
`;
}

async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(...PORTS);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port was found for Jupyter');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
