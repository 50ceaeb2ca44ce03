import path from 'node:path';
import { confirm, isCancel } from '@clack/prompts';
import type { Command } from 'commander';
import { keyDependents, type KeyDependents } from '../../main/jobs/key-dependents.ts';
import { accessService } from '../../main/keys/access-service.ts';
import { KEY_OPERATIONS, wordsOfUse } from '../../shared/key-use.ts';
import type { KeyCard } from '../../shared/key.ts';
import { problem } from '../../shared/problem.ts';
import { confirmPower } from '../confirm-power.ts';
import type { Context, Run } from '../context.ts';
import { ProblemExit, valueOf } from '../exit.ts';
import { formatTime, plural, printable, shellWord } from '../format.ts';
import { table, type Output } from '../output.ts';
import { tellReadableKey, tellReadablePassphrase } from '../readable-by-others.ts';

interface JsonOption {
  readonly json?: boolean;
}

/** Lines of `keys log` where `--limit` does not say otherwise. */
const LOG_LINES = 200;
/** How many of a kind are named. */
const NAMED = 5;

/** `trainyard keys replace|remove|log`. */
export function registerKeyLife(keys: Command, run: Run): void {
  keys
    .command('replace <name> <file>')
    .description('put a newer key of the same account in the place of one: jobs go on with it')
    .option('--accept-admin <email>', 'take it though it can administer: its account’s address')
    .option('--json', 'print the key as JSON, without the private part')
    .action((name: string, file: string, options: JsonOption & { readonly acceptAdmin?: string }) =>
      run(options, async (context) => {
        const { output } = context;
        const services = await context.services();
        const given = path.resolve(context.folder, file);
        const earlier = valueOf(await services.keys.find(name));
        const key = valueOf(await services.keys.read(given));
        // Power belongs to the account: what was accepted of the earlier key is not asked again.
        const access = accessService(services);
        const isKnown = (access.known(earlier.id)?.acceptedAt ?? null) !== null;
        const confirmed =
          isKnown || key.clientEmail !== earlier.email
            ? () => undefined
            : await confirmPower(
                context,
                services,
                key,
                options.acceptAdmin,
                `trainyard keys replace ${shellWord(name)} FILE`,
              );
        const { live, holding } = await keyDependents(services, earlier);
        const card = valueOf(await services.keys.replace(earlier.id, key));
        confirmed(card);
        if (options.json === true) output.json({ ...card, admin: access.known(card.id) });
        else printCard(output, card);
        tellOriginal(output, card, file);
        await tellReadableKey(context, given);
        await tellReadablePassphrase(context, card);
        for (const { id, status } of live)
          if (status.accessAwaited !== null)
            output.note(`The job ${id} waits for access: trainyard retry ${id}`);
        for (const id of holding)
          output.warn(`The job ${id} was handed the earlier key itself and goes on with that.`);
        output.note(
          `The earlier key (${earlier.privateKeyId}) stays valid until you delete it at Google: console, IAM & Admin, Service Accounts, ${card.email}, Keys.${holding.length > 0 ? ' Wait with that until these jobs have ended.' : ''}`,
        );
        return 0;
      }),
    );

  keys
    .command('remove <name>')
    .description('take a key out of the vault')
    .option('-y, --yes', 'also where jobs, bookmarks or templates use it, without asking')
    .option('--json', 'print what was removed as JSON')
    .action((name: string, options: JsonOption & { readonly yes?: boolean }) =>
      run(options, async (context) => {
        const { output } = context;
        const services = await context.services();
        const card = valueOf(await services.keys.find(name));
        const dependents = await keyDependents(services, card);
        if (options.yes !== true) await confirmRemoval(context, card, dependents);
        const removed = valueOf(await services.keys.remove(card.id));
        if (options.json === true) output.json(removed);
        else output.line(`${card.name} is removed from the vault.`);
        for (const line of dependentLines(dependents)) output.warn(line);
        if (dependents.live.length + dependents.ended.length > 0)
          output.note(
            `They go on once a key of ${card.email} is there under that name: trainyard keys add FILE --name ${shellWord(card.name)}, then trainyard retry ID.`,
          );
        return 0;
      }),
    );

  keys
    .command('log <name>')
    .description('what a key was used for: which job, which operation, when')
    .option('--json', 'print an array')
    .action((name: string, options: JsonOption) =>
      run(options, async (context) => {
        const { output } = context;
        const services = await context.services();
        const uses = valueOf(await services.keys.uses(name, LOG_LINES));
        if (options.json === true) {
          output.json(uses);
          return 0;
        }
        if (uses.length === 0) {
          output.note(`Nothing is taken down of ${printable(name)}.`);
          return 0;
        }
        const lines = table(
          [
            { title: 'Last' },
            { title: 'Times' },
            { title: 'What' },
            { title: 'Job' },
            { title: 'Key id' },
            { title: uses.some(({ failed }) => failed !== null) ? 'Failed' : '' },
          ],
          uses.map((use) => [
            formatTime(use.lastAt),
            String(use.times),
            use.job === null ? wordsOfUse(use) : KEY_OPERATIONS[use.operation],
            use.job ?? '',
            use.privateKeyId.slice(0, 8),
            use.failed ?? '',
          ]),
          (text) => output.paint('bold', text, output.stdout),
        );
        for (const line of lines) output.line(line);
        return 0;
      }),
    );
}

/** What uses a key, a line for each kind. Pure. */
export function dependentLines(dependents: KeyDependents): readonly string[] {
  const { live, holding, ended, bookmarks, templates } = dependents;
  const list = (names: readonly string[]): string =>
    `${names.slice(0, NAMED).map(printable).join(', ')}${names.length > NAMED ? ` and ${names.length - NAMED} more` : ''}`;
  const losing = live.map(({ id }) => id).filter((id) => !holding.includes(id));
  const lines: string[] = [];
  if (losing.length > 0)
    lines.push(
      `${plural(losing.length, 'job')} not finished: access cannot be renewed any more, and runs out within an hour: ${list(losing)}`,
    );
  if (holding.length > 0)
    lines.push(
      `${plural(holding.length, 'job')} not finished, which ${holding.length === 1 ? 'was' : 'were'} handed the key itself and ${holding.length === 1 ? 'goes' : 'go'} on with it: ${list(holding)}`,
    );
  if (ended.length > 0)
    lines.push(
      `${plural(ended.length, 'job')} ended before finishing, and cannot be retried: ${list(ended.map(({ id }) => id))}`,
    );
  if (bookmarks.length > 0)
    lines.push(`${plural(bookmarks.length, 'bookmark')} opened with it: ${list(bookmarks)}`);
  if (templates.length > 0)
    lines.push(`${plural(templates.length, 'template')} naming it: ${list(templates)}`);
  return lines;
}

/** Nothing is asked where nothing uses the key. Ends the command (`input.key-in-use`, status 2) where nobody says yes. */
async function confirmRemoval(
  context: Context,
  card: KeyCard,
  dependents: KeyDependents,
): Promise<void> {
  const lines = dependentLines(dependents);
  if (lines.length === 0) return;
  const refused = problem({
    code: 'input.key-in-use',
    op: 'remove the key',
    subject: card.name,
    message: `${card.name} is in use:\n${lines.join('\n')}`,
    hint: `To put a newer key in its place: trainyard keys replace ${shellWord(card.name)} FILE. To remove it all the same: trainyard keys remove ${shellWord(card.name)} --yes`,
  });
  if (!context.interactive) throw new ProblemExit(refused);
  context.output.warn(`${card.name} is in use:`);
  for (const line of lines) context.output.note(`  - ${line}`);
  const answer = await confirm({
    message: `Remove ${printable(card.name)} all the same?`,
    initialValue: false,
    output: process.stderr,
  });
  if (isCancel(answer) || !answer)
    throw new ProblemExit({ ...refused, message: 'Nothing was removed.' });
}

/** Says that the file which a key came from can still be read. */
export function tellOriginal(output: Output, card: KeyCard, file: string): void {
  output.note(
    `The key is in the vault (${card.vault}). The file is still there; move it to the trash, or remove it for good:`,
  );
  output.note(`  rm ${shellWord(file)}`);
}

export function printCard(output: Output, card: KeyCard): void {
  const rows: readonly (readonly [string, string])[] = [
    ['Name', card.name],
    ['Account', card.email],
    ['Project', card.projectId],
    ['Key id', card.privateKeyId],
    ['Fingerprint', card.fingerprint],
    ['Added', formatTime(card.addedAt)],
  ];
  for (const [title, value] of rows)
    output.line(`${output.paint('dim', title.padEnd(12), output.stdout)}${value}`);
}
