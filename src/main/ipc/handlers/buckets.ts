import { randomUUID } from 'node:crypto';
import path from 'node:path';
import {
  asPrefix,
  formatGcsAddress,
  parseGcsAddress,
  type GcsAddress,
} from '../../../shared/address.ts';
import type { EventBody, HandlersOf } from '../../../shared/ipc.ts';
import { MAX_MATCHES, type BUCKET_CALLS } from '../../../shared/ipc/buckets.ts';
import type { InputTarget } from '../../../shared/plan.ts';
import { ok, type Result } from '../../../shared/problem.ts';
import { withinAnswerTime, type Asked } from '../../buckets/answer-time.ts';
import { groupDropped } from '../../buckets/dropped.ts';
import { throttled, walks } from '../../buckets/walks.ts';
import type { Services } from '../../services.ts';
import { questions } from '../questions.ts';
import type { WindowShell } from '../window-shell.ts';

/** Milliseconds between two news of a count or a search. */
const NEWS_EVERY = 150;
/** Transfers run on this machine. */
const HOST = 'local';

type Walked = EventBody<'buckets-walked'>;

export function bucketHandlers(
  { buckets, bookmarks, jobs }: Services,
  { push, pick }: WindowShell,
): HandlersOf<typeof BUCKET_CALLS> {
  const underWay = walks();
  const asked = questions();

  /** Reads the address, then asks with it. */
  const at = async <T>(
    text: string,
    ask: (address: GcsAddress) => Promise<Result<T>>,
  ): Promise<Result<T>> => {
    const address = parseGcsAddress(text);
    return address.ok ? ask(address.value) : address;
  };

  /** Asks for somebody who waits: within the time that one waits, telling of attempts, until it is taken back. */
  const waitFor = <T>(
    question: string,
    op: string,
    subject: string,
    ask: Parameters<typeof withinAnswerTime<T>>[1],
  ): Promise<Result<T>> =>
    asked.answer(question, (signal) => {
      const onRetry: Asked['onRetry'] = ({ problem: { message }, number }) =>
        push('buckets-retried', { question, failed: number, message });
      return withinAnswerTime({ op, subject, signal, onRetry }, ask);
    });

  const newsOf = (walk: string) =>
    throttled<Walked>(
      NEWS_EVERY,
      (earlier, later) => ({ ...later, matches: [...earlier.matches, ...later.matches] }),
      (body) => push('buckets-walked', { ...body, walk }),
    );

  const upload = (
    to: { readonly address: string; readonly key: string | null },
    paths: readonly string[],
  ): Promise<Result<{ ids: string[] }>> =>
    at(to.address, async (address) => {
      const groups = await groupDropped(paths);
      if (!groups.ok) return groups;
      const ids: string[] = [];
      for (const { folder, names } of groups.value) {
        const started = await jobs.submitTransfer({
          host: HOST,
          direction: 'upload',
          key: to.key,
          bucket: address.bucket,
          prefix: asPrefix(address.path),
          folder,
          names,
        });
        if (!started.ok) return started;
        ids.push(started.value.id);
      }
      return ok({ ids });
    });

  return {
    'buckets-list': ({ address, key, pageToken, question }) =>
      at(address, async (prefix) => {
        const page = await waitFor(question, 'list objects', address, (bounds) =>
          buckets.listPage({
            ...bounds,
            address: prefix,
            key,
            recursive: false,
            ...(pageToken === null ? {} : { pageToken }),
          }),
        );
        if (!page.ok) return page;
        const { objects, prefixes, odd, nextPageToken } = page.value;
        return ok({
          objects: [...objects],
          prefixes: [...prefixes],
          ...(odd === undefined ? {} : { odd: [...odd] }),
          nextPageToken,
        });
      }),
    'buckets-object': ({ address, key, question }) =>
      at(address, (object) =>
        waitFor(question, 'look at an object', address, (bounds) =>
          buckets.object({ ...bounds, address: object, key }),
        ),
      ),
    'buckets-cancel': async ({ question }) => {
      asked.cancel(question);
      return ok(undefined);
    },
    'buckets-preview': ({ address, key, generation, maxBytes, question }) =>
      at(address, async (object) => {
        const read = await waitFor(question, 'look into an object', address, (bounds) =>
          buckets.readStart({ ...bounds, address: object, key, generation, maxBytes }),
        );
        // A view into a larger buffer would cross with all of it.
        return read.ok ? ok({ ...read.value, bytes: Uint8Array.from(read.value.bytes) }) : read;
      }),
    'buckets-measure': ({ address, key, walk }) =>
      at(address, (prefix) =>
        underWay.run('measure', walk, async (signal) => {
          const news = newsOf(walk);
          const done = await buckets.measure({ address: prefix, key, signal }, (walked) =>
            news.add({ ...walked, walk, matches: [] }),
          );
          news.end();
          return done;
        }),
      ),
    'buckets-search': ({ address, key, walk, text }) =>
      at(address, (prefix) =>
        underWay.run('search', walk, async (signal) => {
          const news = newsOf(walk);
          const found = await buckets.search(
            { address: prefix, key, text, maxMatches: MAX_MATCHES, signal },
            (walked, fresh) => news.add({ ...walked, walk, matches: [...fresh] }),
          );
          news.end();
          return found.ok ? ok({ ...found.value, matches: [...found.value.matches] }) : found;
        }),
      ),
    'buckets-stop-walk': async ({ walk }) => {
      underWay.stop(walk);
      return ok(undefined);
    },
    'buckets-bookmarks': async () => {
      const kept = bookmarks.list();
      return kept.ok ? ok([...kept.value]) : kept;
    },
    'buckets-add-bookmark': ({ address, key }) =>
      at(address, async (place) => {
        const kept = bookmarks.insert({
          id: randomUUID(),
          address: formatGcsAddress(place),
          key,
          addedAt: new Date().toISOString(),
        });
        return kept.ok ? ok(undefined) : kept;
      }),
    'buckets-remove-bookmark': async ({ id }) => {
      const removed = bookmarks.remove(id);
      return removed.ok ? ok(undefined) : removed;
    },
    'buckets-download': ({ address, key, what }) =>
      at(address, async (from) => {
        const [folder] = await pick({
          title: `Download ${address} into`,
          button: 'Download here',
          what: 'folder',
        });
        if (folder === undefined) return ok({ ids: [] });
        const target: InputTarget =
          what === 'object'
            ? { kind: 'object', object: from.path }
            : { kind: 'folder', prefix: asPrefix(from.path) };
        const started = await jobs.submitTransfer({
          host: HOST,
          direction: 'download',
          key,
          bucket: from.bucket,
          target,
          folder: what === 'object' ? folder : path.join(folder, folderName(from)),
        });
        return started.ok ? ok({ ids: [started.value.id] }) : started;
      }),
    'buckets-upload': ({ address, key, paths }) => upload({ address, key }, paths),
    'buckets-pick-upload': async ({ address, key, what }) => {
      const paths = await pick({ title: `Upload to ${address}`, button: 'Upload', what });
      return paths.length === 0 ? ok({ ids: [] }) : upload({ address, key }, paths);
    },
  };
}

/** What a downloaded folder is called on the disk: never `..` or with a separator, whatever the bucket says. */
function folderName({ bucket, path: prefix }: GcsAddress): string {
  const last =
    prefix
      .split('/')
      .filter((segment) => segment !== '')
      .at(-1) ?? '';
  const plain = last.replaceAll(/[\\/:*?"<>|\p{Cc}]/gu, '_');
  return /^\.*$/.test(plain) ? bucket : plain;
}
