import path from 'node:path';
import type { Command } from 'commander';
import {
  daysSince,
  HOW_TO_REPLACE,
  REPLACE_AFTER_DAYS,
  wantsReplacing,
} from '../../shared/key-age.ts';
import type { Run } from '../context.ts';
import { accessService } from '../../main/keys/access-service.ts';
import { confirmKept, confirmOnce, confirmPower, powerWord } from '../confirm-power.ts';
import { valueOf } from '../exit.ts';
import { formatTime, plural } from '../format.ts';
import { table } from '../output.ts';
import { tellReadableKey, tellReadablePassphrase } from '../readable-by-others.ts';
import { printCard, registerKeyLife, tellOriginal } from './keys-life.ts';

/** Digits of Google's id of a key in the table: enough to tell the keys of one account apart. */
const KEY_ID_SHOWN = 8;

interface JsonOption {
  readonly json?: boolean;
}
interface AdminOption extends JsonOption {
  readonly acceptAdmin?: string;
}

/** `trainyard keys add|list|rename|replace|remove|log|check`: the vault. None needs a network; `add`, `replace` and `check` use it where it is there. */
export function registerKeys(program: Command, run: Run): void {
  const keys = program.command('keys').description('keep service-account keys in the vault');

  keys
    .command('add <file>')
    .description('check a service-account key file and put its key in the vault')
    .option('-n, --name <name>', 'what to call it; default: from its e-mail address')
    .option('--accept-admin <email>', 'take it though it can administer: its account’s address')
    .option('--json', 'print the key as JSON, without the private part')
    .action((file: string, options: AdminOption & { readonly name?: string }) =>
      run(options, async (context) => {
        const { output } = context;
        const services = await context.services();
        const given = path.resolve(context.folder, file);
        const key = valueOf(await services.keys.read(given));
        const named = options.name === undefined ? {} : { name: options.name };
        const confirmed = await confirmPower(context, services, key, options.acceptAdmin);
        const card = valueOf(await services.keys.addKey(key, { ...named, source: given }));
        confirmed(card);
        if (options.json === true)
          output.json({ ...card, admin: accessService(services).known(card.id) });
        else printCard(output, card);
        tellOriginal(output, card, file);
        await tellReadableKey(context, given);
        await tellReadablePassphrase(context, card);
        return 0;
      }),
    );

  keys
    .command('list')
    .description('list the keys')
    .option('--json', 'print an array')
    .action((options: JsonOption) =>
      run(options, async (context) => {
        const services = await context.services();
        const access = accessService(services);
        const now = Date.now();
        const cards = valueOf(await services.keys.list()).map((card) => ({
          ...card,
          ageDays: daysSince(card.addedAt, now),
          admin: access.known(card.id),
        }));
        if (options.json === true) {
          context.output.json(cards);
          return 0;
        }
        if (cards.length === 0) {
          context.output.note('There are no keys. Add one with `trainyard keys add FILE`.');
          return 0;
        }
        const lines = table(
          [
            { title: 'Name' },
            { title: 'Account' },
            { title: 'Key id' },
            { title: 'Age' },
            { title: 'Last used' },
            { title: 'Vault' },
            { title: cards.some(({ admin }) => admin !== null) ? 'Power' : '' },
          ],
          cards.map((card) => [
            card.name,
            card.email,
            card.privateKeyId.slice(0, KEY_ID_SHOWN),
            `${card.ageDays === 0 ? 'today' : plural(card.ageDays, 'day')}${wantsReplacing(card.addedAt, now) ? ' !' : ''}`,
            card.lastUsedAt === null ? 'never' : formatTime(card.lastUsedAt),
            card.vault,
            card.admin === null ? '' : powerWord(card.admin),
          ]),
          (text) => context.output.paint('bold', text, context.output.stdout),
        );
        for (const line of lines) context.output.line(line);
        const old = cards.filter(({ addedAt }) => wantsReplacing(addedAt, now));
        if (old.length > 0) {
          context.output.note(
            `! Google advises to replace keys at least every ${REPLACE_AFTER_DAYS} days: ${old.map(({ name }) => name).join(', ')}.`,
          );
          for (const step of HOW_TO_REPLACE) context.output.note(`  ${step}`);
          context.output.note('  Here: trainyard keys replace NAME FILE');
        }
        return 0;
      }),
    );

  keys
    .command('rename <name> <new-name>')
    .description('give a key another name')
    .option('--json', 'print the key as JSON')
    .action((name: string, newName: string, options: JsonOption) =>
      run(options, async (context) => {
        const services = await context.services();
        const card = valueOf(await services.keys.rename(name, newName));
        if (options.json === true) context.output.json(card);
        else context.output.line(`${name} is now called ${card.name}.`);
        return 0;
      }),
    );

  registerKeyLife(keys, run);

  keys
    .command('check <name>')
    .description('mint an access token with a key, and look whether it can administer')
    .option('--accept-admin <email>', 'it may administer: its account’s address')
    .option('--json', 'print the outcome as JSON')
    .action((name: string, options: AdminOption) =>
      run(options, async (context) => {
        const { output } = context;
        const services = await context.services();
        const checked = valueOf(await services.keys.check(name, context.signal));
        const { card } = checked;
        if (checked.result !== 'works') {
          // What was found before can be confirmed without a network.
          if (options.acceptAdmin !== undefined)
            valueOf(await confirmOnce(context, accessService(services), card, options.acceptAdmin));
          if (options.json === true)
            output.json({ name: card.name, checked: false, problem: checked.problem });
          else
            output.line(
              `${card.name}: ${checked.result === 'offline' ? 'not checked: offline' : 'could not tell'}`,
            );
          output.note(`  ${checked.problem.message}`);
          if (checked.problem.hint !== '') output.note(`  ${checked.problem.hint}`);
          return 4;
        }
        await tellReadablePassphrase(context, card);
        const expiresAt = new Date(checked.expiresAt).toISOString();
        const admin = await confirmKept(context, services, card, options.acceptAdmin);
        if (options.json === true)
          output.json({ name: card.name, checked: true, expiresAt, admin });
        else
          output.line(
            `${card.name}: the key works. Google gave ${card.email} an access token until ${formatTime(expiresAt)}.`,
          );
        return 0;
      }),
    );
}
