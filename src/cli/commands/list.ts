import { Option, type Command } from 'commander';
import type { ListPage } from '../../google/listing.ts';
import { formatGcsAddress, parseGcsAddress } from '../../shared/address.ts';
import { areaOf, type Result } from '../../shared/problem.ts';
import type { Run } from '../context.ts';
import type { KeyOption } from '../credential.ts';
import { ProblemExit, valueOf } from '../exit.ts';
import { formatBytes, formatTime, plural, printable } from '../format.ts';

interface ListOptions {
  readonly key?: KeyOption;
  readonly recursive?: boolean;
  readonly json?: boolean;
}

/** One line of `ls --json`. */
type Entry =
  | { readonly kind: 'prefix'; readonly name: string; readonly address: string }
  | {
      readonly kind: 'object';
      readonly name: string;
      readonly address: string;
      readonly size: number;
      readonly updated: string;
      readonly crc32c: string | null;
      readonly generation: string;
    };

/** `trainyard ls gs://b/p`: what begins with the address, object by object; each page as soon as it is there. */
export function registerList(program: Command, run: Run): void {
  program
    .command('ls <address>')
    .description('list objects and prefixes of a bucket, for example gs://bucket/data/')
    .option('-k, --key <name>', 'the key to use; without one no credential is sent')
    .addOption(new Option('--no-key', 'send no credential').hideHelp())
    .option('-r, --recursive', 'everything below, not only the next level')
    .option('--json', 'print an array')
    .action((text: string, options: ListOptions) =>
      run(options, async (context) => {
        const { output } = context;
        const address = valueOf(parseGcsAddress(text));
        const services = await context.services();
        const key = typeof options.key === 'string' ? options.key : null;
        const entries: Entry[] = [];
        let objects = 0;
        let bytes = 0;
        let pageToken: string | null = null;
        do {
          const page: Result<ListPage> = await services.buckets.listPage({
            address,
            key,
            recursive: options.recursive === true,
            ...(pageToken === null ? {} : { pageToken }),
            signal: context.signal,
          });
          if (!page.ok) {
            const { problem } = page;
            if (key !== null || areaOf(problem) !== 'access') throw new ProblemExit(problem);
            throw new ProblemExit({
              ...problem,
              hint: `${problem.hint === '' ? '' : `${problem.hint}\n`}No credential was sent: give a key with --key NAME, see \`trainyard keys list\`.`,
            });
          }
          const found: Entry[] = [
            ...page.value.prefixes.map((name) => ({
              kind: 'prefix' as const,
              name,
              address: formatGcsAddress({ bucket: address.bucket, path: name }),
            })),
            ...page.value.objects.map((object) => ({
              kind: 'object' as const,
              name: object.name,
              address: formatGcsAddress({ bucket: address.bucket, path: object.name }),
              size: object.size,
              updated: object.updated,
              crc32c: object.crc32c,
              generation: object.generation,
            })),
          ].sort((a, b) => (a.name < b.name ? -1 : 1));
          if (options.json === true) entries.push(...found);
          else for (const entry of found) output.line(lineOf(entry));
          objects += page.value.objects.length;
          bytes += page.value.objects.reduce((sum, object) => sum + object.size, 0);
          pageToken = page.value.nextPageToken;
        } while (pageToken !== null && !context.signal.aborted);
        if (options.json === true && !context.signal.aborted) output.json(entries);
        else if (objects > 0) output.note(`${plural(objects, 'object')}, ${formatBytes(bytes)}`);
        else if (output.stderr.isTTY) output.note(`Nothing begins with ${text}.`);
        return 0;
      }),
    );
}

function lineOf(entry: Entry): string {
  const size = entry.kind === 'object' ? formatBytes(entry.size) : '';
  const updated = entry.kind === 'object' ? formatTime(entry.updated) : '';
  return `${size.padStart(9)}  ${updated.padEnd(19)}  ${printable(entry.address)}`;
}
