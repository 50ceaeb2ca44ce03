import { existsSync } from 'node:fs';
import type { HandlersOf } from '../../../shared/ipc.ts';
import type { ACCESS_CALLS } from '../../../shared/ipc/access.ts';
import { USES_SHOWN, type KEY_CALLS, type KeyVault } from '../../../shared/ipc/keys.ts';
import type { ServiceAccountKey } from '../../../shared/key.ts';
import { administersProblem } from '../../../shared/key-power.ts';
import { fail, ok, problem, type Problem, type Result } from '../../../shared/problem.ts';
import { accessService, type AskedPower } from '../../keys/access-service.ts';
import { keyDependents } from '../../jobs/key-dependents.ts';
import { keyCandidates } from '../../keys/candidates.ts';
import type { ChosenVault } from '../../keys/vault-choice.ts';
import type { Services } from '../../services.ts';
import type { WindowShell } from '../window-shell.ts';
import { withoutValue } from './without-value.ts';

/** How many of the newest finished jobs are asked whether they used a key: each has its plan read. */
const FINISHED = 1_000;

type KeyCalls = typeof KEY_CALLS & Pick<typeof ACCESS_CALLS, 'access-candidate'>;

export function keyHandlers(
  services: Pick<Services, 'keys' | 'jobs' | 'bookmarks' | 'paths' | 'settings' | 'endpoints'>,
  shell: Omit<WindowShell, 'push'>,
): HandlersOf<KeyCalls> {
  const { keys, jobs, paths } = services;
  const candidates = keyCandidates(keys);
  const access = accessService(services);
  const reports = new Map<string, Promise<AskedPower>>();
  /** Asked once for each key that came in. */
  const powerOf = (handle: string, key: ServiceAccountKey): Promise<AskedPower> => {
    const asked = reports.get(handle) ?? access.powerOf(key, new AbortController().signal);
    reports.set(handle, asked);
    return asked;
  };
  return {
    'keys-list': async () => spread(await keys.list()),
    'keys-jobs': async ({ id }) =>
      ok(
        (await jobs.usingKey(id, FINISHED)).map(({ name, state, createdAt, ...job }) => ({
          id: job.id,
          name,
          state,
          createdAt,
        })),
      ),

    'keys-dependents': async ({ id }) => {
      const card = await keys.find(id);
      if (!card.ok) return card;
      const { holding, bookmarks, templates } = await keyDependents(services, card.value);
      return ok({
        holding: [...holding],
        bookmarks: [...bookmarks],
        templates: [...templates],
      });
    },
    'keys-uses': async ({ id }) => spread(await keys.uses(id, USES_SHOWN)),

    'keys-read-file': ({ path }) => candidates.readFile(path),
    'keys-pick-files': async () =>
      ok([...(await shell.pick({ title: 'Add key files', button: 'Read', what: 'files' }))]),
    'keys-paste': async () => candidates.readText(await shell.readClipboard()),
    'keys-discard': async ({ handle }) => {
      candidates.discard(handle);
      reports.delete(handle);
      return ok(undefined);
    },
    'keys-take': async ({ handle, name, acceptAdmin }) => {
      const key = candidates.key(handle);
      if (!key.ok) return key;
      const email = key.value.clientEmail;
      const asked = await powerOf(handle, key.value);
      const { report } = asked;
      const isAccepted = acceptAdmin?.trim().toLowerCase() === email.toLowerCase();
      if (report.state === 'found' && !isAccepted)
        return fail(
          administersProblem(email, report.findings, `To take it all the same, type ${email}.`),
        );
      const card = await candidates.take(handle, name);
      if (card.ok) {
        access.note(card.value, asked);
        if (report.state === 'found') access.accept(card.value.id);
      }
      return card;
    },
    'access-candidate': async ({ handle }) => {
      const key = candidates.key(handle);
      if (!key.ok) return key;
      const { report } = await powerOf(handle, key.value);
      return ok({ ...report, findings: [...report.findings], asked: [...report.asked] });
    },
    'keys-replace': async ({ handle, id }) => {
      const card = await candidates.replace(handle, id);
      // Asked when its card arrived.
      const asked = await reports.get(handle);
      if (card.ok && asked !== undefined) access.note(card.value, asked);
      return card;
    },
    'keys-clear-original': async ({ handle }) => {
      const original = await candidates.original(handle);
      if (!original.ok) return original;
      if (original.value.source === 'clipboard') {
        if ((await shell.readClipboard()) === original.value.text) await shell.clearClipboard();
        return ok(undefined);
      }
      const { path } = original.value;
      try {
        await shell.moveToTrash(path);
        return ok(undefined);
      } catch (error) {
        return fail(noTrash(path, error));
      }
    },

    'keys-rename': ({ id, name }) => keys.rename(id, name),
    'keys-remove': async ({ id }) => withoutValue(await keys.remove(id)),
    'keys-check': async ({ id }) => {
      const checked = await keys.check(id);
      if (!checked.ok) return checked;
      if (checked.value.result === 'works')
        await access.powerOfKept(checked.value.card, new AbortController().signal);
      return checked.value.result === 'works'
        ? ok({ result: 'works', expiresAt: checked.value.expiresAt })
        : ok({ result: checked.value.result, problem: checked.value.problem });
    },

    'keys-vault': async () => ok(vaultView(await keys.vaultStatus(), paths.vaultFile)),
    'keys-open-passphrase-vault': async ({ passphrase }) =>
      withoutValue(await keys.openPassphraseVault(passphrase)),
    'keys-use-keychain': async () => withoutValue(keys.useKeychain()),
    'keys-offered': async () => spread(await keys.offered()),
    'keys-adopt': ({ id, name }) => keys.adopt(id, name),
  };
}

function spread<T>(result: Result<readonly T[]>): Result<T[]> {
  return result.ok ? ok([...result.value]) : result;
}

function vaultView(status: ChosenVault, passphraseFile: string): KeyVault {
  const { kind, decidedBy, state } = status;
  const asked = 'problem' in status ? status.problem : null;
  return {
    kind,
    decidedBy,
    state,
    problem: asked,
    wantsPassphrase:
      kind === 'passphrase' &&
      asked !== null &&
      ['input.passphrase-file', 'access.vault-passphrase'].includes(asked.code),
    offersPassphraseVault:
      kind === 'keychain' && state === 'unavailable' && decidedBy !== 'environment',
    passphraseFile,
    passphraseFileExists: existsSync(passphraseFile),
  };
}

function noTrash(path: string, error: unknown): Problem {
  const reason = error instanceof Error ? error.message : String(error);
  return problem({
    code: 'host.trash',
    op: 'move the file to the trash',
    subject: path,
    message: `${path} could not be moved to the trash: ${reason}.`,
    hint: 'It is still where it was. Remove it in your file manager.',
  });
}
