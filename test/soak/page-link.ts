import { z } from 'zod';

/** A page of a running Chromium, by its debugging protocol. */
export interface PageLink {
  /** Evaluates an expression in the page, waits for its promise and answers with its value. Rejects where the page is gone or it throws. */
  evaluate(expression: string): Promise<unknown>;
  close(): void;
}

const targets = z.array(
  z.object({ type: z.string(), url: z.string(), webSocketDebuggerUrl: z.string().optional() }),
);
const answers = z.object({
  id: z.number().optional(),
  error: z.object({ message: z.string() }).optional(),
  result: z
    .object({
      result: z.object({ value: z.unknown() }).optional(),
      exceptionDetails: z
        .object({
          text: z.string(),
          exception: z.object({ description: z.string().optional() }).optional(),
        })
        .optional(),
    })
    .optional(),
});

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The debugging address of the application's page, once it is there. */
async function findPage(host: string, isLost: () => boolean): Promise<string> {
  for (;;) {
    if (isLost()) throw new Error('the application is gone');
    const answer = await fetch(`http://${host}/json/list`).catch(() => null);
    const listed = answer === null ? [] : targets.parse(await answer.json().catch(() => []));
    const page = listed.find(
      ({ type, url }) => type === 'page' && url.startsWith('app://trainyard'),
    );
    if (page?.webSocketDebuggerUrl !== undefined) return page.webSocketDebuggerUrl;
    await pause(40);
  }
}

function link(socket: WebSocket): PageLink {
  let last = 0;
  const waiting = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }
  >();
  socket.addEventListener('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('the application is gone'));
    waiting.clear();
  });
  socket.addEventListener('message', ({ data }) => {
    const { id, error, result } = answers.parse(JSON.parse(String(data)));
    const asked = id === undefined ? undefined : waiting.get(id);
    if (id === undefined || asked === undefined) return;
    waiting.delete(id);
    const thrown = result?.exceptionDetails;
    if (error !== undefined) asked.reject(new Error(error.message));
    else if (thrown !== undefined)
      asked.reject(new Error(thrown.exception?.description ?? thrown.text));
    else asked.resolve(result?.result?.value);
  });
  return {
    evaluate: (expression) =>
      new Promise((resolve, reject) => {
        if (socket.readyState !== WebSocket.OPEN) {
          reject(new Error('the application is gone'));
          return;
        }
        last += 1;
        waiting.set(last, { resolve, reject });
        const params = { expression, awaitPromise: true, returnByValue: true };
        socket.send(JSON.stringify({ id: last, method: 'Runtime.evaluate', params }));
      }),
    close: () => socket.close(),
  };
}

/** Connects to the application's page and waits until it shows itself. `until`: a time of `performance.now()`. */
export async function connectPage(
  host: string,
  until: number,
  isEnded: () => boolean,
): Promise<PageLink> {
  const isLost = (): boolean => isEnded() || performance.now() > until;
  const socket = new WebSocket(await findPage(host, isLost));
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    for (const name of ['error', 'close'])
      socket.addEventListener(name, () => reject(new Error('the application is gone')));
  });
  const page = link(socket);
  const stands = `document.querySelector('.application') !== null && typeof window.trainyard === 'object'`;
  // While the page loads there is nothing yet to evaluate in.
  while ((await page.evaluate(stands).catch(() => false)) !== true) {
    if (isLost()) throw new Error('the page of the application did not come');
    await pause(40);
  }
  return page;
}
