/**
 * The process in which the keychain's native library runs, so that one that never answers can be left: a stuck native call holds its whole
 * process, also at its exit. Started as `node keychain-helper ADDON`; asked and answered by lines of JSON over stdin and stdout, which no other
 * process can read. It ends with whoever started it.
 */
import { createRequire } from 'node:module';

const METHODS = ['getPassword', 'setPassword', 'deletePassword', 'findCredentials'];

type Native = Readonly<Record<string, (...words: readonly string[]) => Promise<unknown>>>;

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

function loadNative(): Native | string {
  try {
    return createRequire(import.meta.url)(process.argv[2] ?? '') as Native;
  } catch (error) {
    return messageOf(error);
  }
}

const native = loadNative();
const answer = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

async function serve(line: string): Promise<void> {
  const { id, method, words } = JSON.parse(line) as {
    readonly id: number;
    readonly method: string;
    readonly words: readonly string[];
  };
  if (typeof native === 'string') {
    answer({ id, cannotLoad: native });
    return;
  }
  const call = METHODS.includes(method) ? native[method] : undefined;
  try {
    answer({ id, value: (await call?.(...words)) ?? null });
  } catch (error) {
    answer({ id, error: messageOf(error) });
  }
}

let read = '';
process.stdin.setEncoding('utf8').on('data', (text: string) => {
  const lines = `${read}${text}`.split('\n');
  read = lines.pop() ?? '';
  for (const line of lines) void serve(line);
});
// A stuck call would keep an ordinary exit waiting.
process.stdin.on('close', () => process.kill(process.pid, 'SIGKILL'));
process.stdout.on('error', () => process.kill(process.pid, 'SIGKILL'));
// Of the terminal, and meant for whoever started it.
process.on('SIGINT', () => undefined);
