import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Milliseconds. */
const LONGEST = 60_000;

/** One call of Chromium's inspector at a time, over its socket. */
async function openInspector(address) {
  const socket = new WebSocket(address);
  await once(socket, 'open');
  const waiting = new Map();
  let last = 0;
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(data);
    waiting.get(id)?.(error === undefined ? result : { error });
    waiting.delete(id);
  });
  return {
    ask: (method, params = {}, sessionId) =>
      new Promise((resolve) => {
        last += 1;
        waiting.set(last, resolve);
        socket.send(JSON.stringify({ id: last, method, params, ...(sessionId && { sessionId }) }));
      }),
    close: () => socket.close(),
  };
}

function inspectorAddress(child) {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error(`No window. ${text}`)), LONGEST);
    child.once('exit', () => reject(new Error(`The application ended. ${text}`)));
    child.stderr.on('data', (chunk) => {
      text += chunk;
      const found = /DevTools listening on (ws:\/\/\S+)/.exec(text)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
  });
}

/**
 * Starts an Electron application and ends it again. Answers with the milliseconds from the start of its process to the first frame of the page in
 * which the expression (JavaScript) is true, and to the first byte of the page.
 *
 * @param {{ executable: string, args: readonly string[], env: NodeJS.ProcessEnv, usable: string }} options
 */
export async function timeToScreen({ executable, args, env, usable }) {
  const begun = performance.timeOrigin + performance.now();
  const child = spawn(
    executable,
    [...args.slice(0, -1), '--remote-debugging-port=0', args.at(-1)],
    {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const ended = once(child, 'exit');
  try {
    const inspector = await openInspector(await inspectorAddress(child));
    const late = performance.now() + LONGEST;
    let page;
    while (page === undefined) {
      if (performance.now() > late) throw new Error('There is no page.');
      const { targetInfos } = await inspector.ask('Target.getTargets');
      page = targetInfos.find(
        ({ type, url }) => type === 'page' && url !== '' && url !== 'about:blank',
      );
      if (page === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { sessionId } = await inspector.ask('Target.attachToTarget', {
      targetId: page.targetId,
      flatten: true,
    });
    const expression = `new Promise((resolve) => {
      const now = () => performance.timeOrigin + performance.now();
      const look = () => {
        if (${usable}) requestAnimationFrame(() => resolve([performance.timeOrigin, now()]));
        else setTimeout(look, 4);
      };
      look();
    })`;
    // Attached while the first document is made, the question is lost with what was there before.
    for (;;) {
      const { result, error } = await inspector.ask(
        'Runtime.evaluate',
        { expression, awaitPromise: true, returnByValue: true },
        sessionId,
      );
      if (result?.value !== undefined) {
        inspector.close();
        const [page, screen] = result.value;
        return { page: page - begun, screen: screen - begun };
      }
      if (performance.now() > late) throw new Error(`The page did not answer. ${error?.message}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(timer);
  }
}
