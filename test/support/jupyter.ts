import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';

/** Speaks with a real Jupyter as its own pages do: REST and a WebSocket. */

/** Why there is no Jupyter on this machine, or null. */
export const noJupyter: string | null = (() => {
  try {
    execFileSync('sh', ['-c', 'jupyter-lab --version || jupyter-notebook --version'], {
      stdio: 'ignore',
    });
    return null;
  } catch {
    return 'no Jupyter is installed (Debian: jupyter-notebook)';
  }
})();

export interface Kernel {
  readonly id: string;
  /** Runs code to its end; what it printed. Throws what it raised. */
  execute(code: string): Promise<string>;
}

const DEADLINE = 120_000;

/** `url` with its token: `http://127.0.0.1:PORT/tree?token=...`. */
export function splitAddress(url: string): { readonly origin: string; readonly token: string } {
  const parsed = new URL(url);
  return { origin: parsed.origin, token: parsed.searchParams.get('token') ?? '' };
}

export async function callJupyter(
  url: string,
  path: string,
  init: RequestInit = {},
): Promise<unknown> {
  const { origin, token } = splitAddress(url);
  const answer = await fetch(`${origin}${path}`, {
    ...init,
    headers: { authorization: `token ${token}`, 'content-type': 'application/json' },
    signal: AbortSignal.timeout(DEADLINE),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? null : answer.json();
}

export async function startKernel(url: string): Promise<Kernel> {
  const { id } = (await callJupyter(url, '/api/kernels', { method: 'POST', body: '{}' })) as {
    id: string;
  };
  return openKernel(url, id);
}

/** A kernel that runs already. */
export function openKernel(url: string, id: string): Kernel {
  return { id, execute: (code) => execute(url, id, code) };
}

interface Message {
  readonly msg_type?: string;
  readonly header: { readonly msg_type: string };
  readonly parent_header: { readonly msg_id?: string };
  readonly content: {
    readonly text?: string;
    readonly status?: string;
    readonly execution_state?: string;
    readonly traceback?: readonly string[];
  };
}

function execute(url: string, kernel: string, code: string): Promise<string> {
  const { origin, token } = splitAddress(url);
  const session = randomUUID();
  const messageId = randomUUID();
  const socket = new WebSocket(
    `${origin.replace('http', 'ws')}/api/kernels/${kernel}/channels?session_id=${session}&token=${token}`,
  );
  return new Promise<string>((resolve, reject) => {
    let printed = '';
    let failed: string | null = null;
    let replied = false;
    let idle = false;
    const timer = setTimeout(
      () => end(() => reject(new Error(`the kernel did not answer: ${printed}`))),
      DEADLINE,
    );
    const end = (finish: () => void): void => {
      clearTimeout(timer);
      socket.close();
      finish();
    };
    socket.addEventListener('error', () =>
      end(() => reject(new Error('the channel to the kernel failed'))),
    );
    socket.addEventListener('open', () =>
      socket.send(
        JSON.stringify({
          channel: 'shell',
          header: {
            msg_id: messageId,
            msg_type: 'execute_request',
            username: 'test',
            session,
            date: new Date().toISOString(),
            version: '5.3',
          },
          parent_header: {},
          metadata: {},
          content: {
            code,
            silent: false,
            store_history: false,
            user_expressions: {},
            allow_stdin: false,
            stop_on_error: true,
          },
          buffers: [],
        }),
      ),
    );
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as Message;
      if (message.parent_header.msg_id !== messageId) return;
      const { content, header } = message;
      if (header.msg_type === 'stream') printed += content.text ?? '';
      if (header.msg_type === 'error') failed = (content.traceback ?? []).join('\n');
      if (header.msg_type === 'execute_reply') replied = true;
      if (header.msg_type === 'status' && content.execution_state === 'idle') idle = true;
      if (!replied || !idle) return;
      end(() => (failed === null ? resolve(printed) : reject(new Error(failed))));
    });
  });
}
