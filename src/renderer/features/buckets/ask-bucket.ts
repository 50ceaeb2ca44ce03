import type { CallArguments, CallName, CallValue } from '../../../shared/ipc.ts';
import { ask } from '../../client.ts';
import type { Retried } from './listing.ts';

/** Calls that somebody waits for, and that can be taken back. */
type WaitingCall = Extract<CallName, 'buckets-list' | 'buckets-object' | 'buckets-preview'>;

interface Waiting {
  /** Takes the question back. */
  readonly signal: AbortSignal;
  /** Told of attempts without an answer. */
  readonly onRetry?: (news: Retried) => void;
}

/** Asks a bucket: told of every attempt without an answer, until the answer comes or the question is taken back. */
export async function askBucket<Name extends WaitingCall>(
  name: Name,
  args: Omit<CallArguments<Name>, 'question'>,
  { signal, onRetry }: Waiting,
): Promise<CallValue<Name>> {
  const question = crypto.randomUUID();
  const takeBack = () => void ask('buckets-cancel', { question });
  signal.addEventListener('abort', takeBack, { once: true });
  const end = window.trainyard.subscribe('buckets-retried', (news) => {
    if (news.question === question) onRetry?.({ failed: news.failed, message: news.message });
  });
  try {
    return await ask(name, { ...args, question } as CallArguments<Name>);
  } finally {
    signal.removeEventListener('abort', takeBack);
    end();
  }
}
