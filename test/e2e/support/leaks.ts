import type { ElectronApplication, Page } from '@playwright/test';
import { createSecretSearch, type SecretMatch } from '../../../src/cli/demo/secret-search.ts';

/** The DER of a PEM's key: what must be nowhere. */
export const derOf = (pem: string): Buffer =>
  Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64');

/** Writes down every answer and event that leaves the main process for the window from now on. */
export async function recordMessages(application: ElectronApplication): Promise<void> {
  await application.evaluate(({ ipcMain, BrowserWindow }) => {
    const said: string[] = [];
    (globalThis as unknown as { said: string[] }).said = said;
    // Bytes as the characters that they stand for, so that they are searched too.
    const plain = (_name: string, part: unknown) =>
      part instanceof Uint8Array
        ? [...part].map((byte) => String.fromCharCode(byte)).join('')
        : part;
    const note = (value: unknown) => said.push(JSON.stringify({ value }, plain));
    const inside = ipcMain as unknown as {
      _invokeHandlers: Map<string, (...given: unknown[]) => unknown>;
    };
    for (const [channel, handle] of inside._invokeHandlers)
      inside._invokeHandlers.set(channel, async (...given) => {
        try {
          const answer = await handle(...given);
          note(answer);
          return answer;
        } catch (error) {
          note(String(error));
          throw error;
        }
      });
    const contents = BrowserWindow.getAllWindows()[0]?.webContents;
    if (contents === undefined) throw new Error('There is no window.');
    const send = contents.send.bind(contents);
    contents.send = (channel: string, ...given: unknown[]) => {
      note(given);
      send(channel, ...given);
    };
  });
}

export function recordedMessages(application: ElectronApplication): Promise<readonly string[]> {
  return application.evaluate(() => (globalThis as unknown as { said: string[] }).said);
}

/** Everything that the window's page holds in memory, as the inspector writes it. */
export async function pageMemory(page: Page): Promise<string> {
  const session = await page.context().newCDPSession(page);
  const chunks: string[] = [];
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => chunks.push(chunk));
  await session.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
  await session.detach();
  return chunks.join('');
}

export interface Leaks {
  readonly messages: SecretMatch | null;
  readonly memory: SecretMatch | null;
  /** Proof that both were looked at. */
  readonly sawInMessages: boolean;
  readonly sawInMemory: boolean;
}

/** Looks for any 20 bytes of a key in all that was said to the page and in all that the page remembers; `known` must be found in both. */
export async function findLeaks(
  application: ElectronApplication,
  page: Page,
  pem: string,
  known: string,
): Promise<Leaks> {
  const search = createSecretSearch(derOf(pem));
  const messages = (await recordedMessages(application)).join('\n');
  const memory = await pageMemory(page);
  return {
    messages: search.inBytes(Buffer.from(messages)),
    memory: search.inBytes(Buffer.from(memory)),
    sawInMessages: messages.includes(known),
    sawInMemory: memory.includes(known),
  };
}
