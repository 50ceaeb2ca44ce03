import { Option, type Command } from 'commander';
import type { ListPage } from '../../google/listing.ts';
import { withinAnswerTime } from '../../main/buckets/answer-time.ts';
import type { BucketRequest } from '../../main/buckets/service.ts';
import type { Services } from '../../main/services.ts';
import { asPrefix, formatGcsAddress, type GcsAddress } from '../../shared/address.ts';
import { addressOfText, readAddress } from '../../shared/read-address.ts';
import { totalOf, type ObjectInfo } from '../../shared/object-info.ts';
import { areaOf, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import type { Run } from '../context.ts';
import { chooseKey, withKeyOptions, type KeyOption } from '../credential.ts';
import { ProblemExit, valueOf } from '../exit.ts';
import { ANSWER_TIME, tellWaiting } from '../waiting.ts';
import { formatBytes, formatTime, plural, printable } from '../format.ts';

interface ListOptions {
  readonly key?: KeyOption;
  readonly recursive?: boolean;
  readonly R?: boolean;
  readonly json?: boolean;
}

/** One line of `ls --json`. */
type Entry =
  | { readonly kind: 'prefix'; readonly name: string; readonly address: string }
  | {
      readonly kind: 'object';
      readonly name: string;
      readonly address: string;
      /** Null, as everything of an object, where it is not told. */
      readonly size: number | null;
      readonly updated: string | null;
      readonly crc32c: string | null;
      readonly generation: string | null;
      /** Where it is stored packed, or in another coding. */
      readonly contentEncoding?: string;
    };

/**
 * `trainyard ls gs://b/p`: what lies below the address, each page as soon as it is there; where nothing does, or it may not be listed, the one object
 * of that name. Names that only begin like it are others. Exit 1 where there is neither; an empty bucket is no failure.
 */
export function registerList(program: Command, run: Run): void {
  withKeyOptions(
    program
      .command('ls <address>')
      .description('list objects and prefixes of a bucket, for example gs://bucket/data'),
  )
    .option('-r, --recursive', 'everything below, not only the next level')
    .addOption(new Option('-R', 'the same as -r').hideHelp())
    .addOption(new Option('-l', 'size and time, which are always told').hideHelp())
    .option('--json', 'print an array')
    .action((text: string, options: ListOptions) =>
      run(options, async (context) => {
        const { output } = context;
        const address = valueOf(addressOfText(text));
        const services = await context.services();
        const key = valueOf(await chooseKey(services, options.key, output));
        const { signal } = context;
        const waiting = tellWaiting(output);
        /** Asks, for as long as somebody at a terminal waits. */
        const answerOf = async <T>(
          ask: (request: Omit<BucketRequest, 'address'>) => Promise<Result<T>>,
        ): Promise<Result<T>> => {
          const about = { op: 'list objects', subject: text, timeMs: ANSWER_TIME };
          const result = await withinAnswerTime(
            { ...about, signal, onRetry: waiting.onRetry },
            (bounds) => ask({ key, reason: 'list', ...bounds }),
          );
          waiting.arrived();
          return result;
        };
        const entries: Entry[] = [];
        let seen = 0;
        let objects = 0;
        let bytes = 0;
        let untold = 0;
        const odd: string[] = [];
        const take = (page: Pick<ListPage, 'objects' | 'prefixes' | 'odd'>): void => {
          const found = entriesOf(page, address.bucket);
          seen += found.length;
          if (options.json === true) entries.push(...found);
          else for (const entry of found) output.line(lineOf(entry));
          objects += page.objects.length;
          const sizes = totalOf(page.objects);
          bytes += sizes.bytes;
          untold += sizes.untold;
          odd.push(...(page.odd ?? []));
        };
        const below = { ...address, path: asPrefix(address.path) };
        const isOneName = below.path !== address.path;
        let pageToken: string | null = null;
        do {
          const next: { pageToken?: string } = pageToken === null ? {} : { pageToken };
          const recursive = options.recursive === true || options.R === true;
          const listed: Result<ListPage> = await answerOf((asked) =>
            services.buckets.listPage({ ...asked, ...next, address: below, recursive }),
          );
          // One object that may be read needs no listing.
          if (!listed.ok && isOneName && areaOf(listed.problem) === 'access') {
            const object = await answerOf((asked) =>
              services.buckets.object({ ...asked, address }),
            );
            if (object.ok) {
              take({ objects: [object.value], prefixes: [], odd: [] });
              break;
            }
          }
          const page: ListPage = listedOrHint(listed, key);
          take(page);
          pageToken = page.nextPageToken;
        } while (pageToken !== null && !signal.aborted);
        if (seen === 0 && isOneName && !signal.aborted) {
          const object = listedOrHint(
            await answerOf((asked) => findObject(services, { ...asked, address })),
            key,
          );
          if (object !== null) take({ objects: [object], prefixes: [], odd: [] });
        }
        if (seen === 0 && address.path !== '' && !signal.aborted)
          throw new ProblemExit(nothingAt(address, isOneName));
        if (options.json === true && !context.signal.aborted) output.json(entries);
        else if (objects > 0)
          output.note(
            `${plural(objects, 'object')}, ${formatBytes(bytes)}${untold === 0 ? '' : `, and ${plural(untold, 'object')} of unknown size`}`,
          );
        else if (seen === 0) output.note(`The bucket ${formatGcsAddress(address)} is empty.`);
        for (const item of odd.slice(0, MAX_ODD))
          output.note(`${output.paint('yellow', 'Left out:')} ${printable(item)}`);
        if (odd.length > MAX_ODD) output.note(`  and ${plural(odd.length - MAX_ODD, 'item')} more`);
        return 0;
      }),
    );
}

/** Neither an object nor anything below: exit 1, as other programs that list. */
function nothingAt(address: GcsAddress, isOneName: boolean): Problem {
  const text = formatGcsAddress(address);
  const other = readAddress(text);
  const doubt = other.ok && other.value.doubt !== null ? `Is ${other.value.doubt} meant? ` : '';
  return problem({
    code: 'storage.nothing-there',
    op: 'list objects',
    subject: text,
    message: isOneName
      ? `There is nothing at ${text}: no object of that name, and none below ${text}/`
      : `There is nothing below ${text}`,
    hint: `${doubt}Check the address for a typing mistake, also in upper and lower case: \`trainyard ls gs://${address.bucket}/\` shows what is there.`,
  });
}

/** The one object of a name, asked for by itself, and where that is refused looked for in the listing; null where there is none. */
async function findObject(
  services: Services,
  request: BucketRequest,
): Promise<Result<ObjectInfo | null>> {
  const found = await services.buckets.object(request);
  if (found.ok || found.problem.code === 'storage.object-not-found')
    return found.ok ? found : ok(null);
  if (areaOf(found.problem) !== 'access') return found;
  // Of all names that begin with it the name itself is the first.
  let pageToken: string | null = null;
  do {
    const page: Result<ListPage> = await services.buckets.listPage({
      ...request,
      recursive: true,
      pageSize: 1,
      ...(pageToken === null ? {} : { pageToken }),
    });
    if (!page.ok) return ok(null);
    const [first] = page.value.objects;
    if (first !== undefined) return ok(first.name === request.address.path ? first : null);
    pageToken = page.value.nextPageToken;
  } while (pageToken !== null);
  return ok(null);
}

/** What was found, or the end of the command; where no credential was sent, it is said how to send one. */
function listedOrHint<T>(result: Result<T>, key: string | null): T {
  if (result.ok) return result.value;
  const found = result.problem;
  if (key !== null || areaOf(found) !== 'access') throw new ProblemExit(found);
  const how = 'Name a key with --key NAME (see `trainyard keys list`)';
  const named = found.hint.replace(/^Name a key( that may| \(see `trainyard keys list`\))?/, how);
  throw new ProblemExit({
    ...found,
    hint: named.includes(how) ? named : `${named}\n${how}: no credential was sent.`.trim(),
  });
}

/** So many items of a listing that are no objects are told one by one. */
const MAX_ODD = 20;

function entriesOf(page: Pick<ListPage, 'objects' | 'prefixes'>, bucket: string): readonly Entry[] {
  const addressOf = (path: string): string => formatGcsAddress({ bucket, path });
  return [
    ...page.prefixes.map((name) => ({ kind: 'prefix' as const, name, address: addressOf(name) })),
    ...page.objects.map(({ name, size, updated, crc32c, generation, contentEncoding }) => ({
      kind: 'object' as const,
      name,
      address: addressOf(name),
      size,
      updated: told(updated),
      crc32c: told(crc32c),
      generation: told(generation),
      ...(contentEncoding === null ? {} : { contentEncoding }),
    })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const told = (text: string): string | null => (text === '' ? null : text);

function lineOf(entry: Entry): string {
  const size =
    entry.kind === 'prefix' ? '' : entry.size === null ? 'not told' : formatBytes(entry.size);
  const updated = entry.kind === 'object' ? formatTime(entry.updated ?? '') : '';
  return `${size.padStart(9)}  ${updated.padEnd(19)}  ${printable(entry.address)}`;
}
