import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as KeytarModule from 'keytar';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';

export type Keytar = Pick<
  typeof KeytarModule,
  'getPassword' | 'setPassword' | 'deletePassword' | 'findCredentials'
>;

/** The library could not be loaded where it was to run. */
export class KeychainNotLoaded extends Error {}

/** A call was left because another one waited too long. */
export class KeychainLeft extends Error {}

/** How to go on without a keychain: always the user's own choice. */
export const PASSPHRASE_CHOICE =
  'Or keep keys in a file that a passphrase opens: set TRAINYARD_VAULT=passphrase and TRAINYARD_PASSPHRASE_FILE=<a file that holds the passphrase, readable by you alone>.';

const load = createRequire(import.meta.url);

/** Loads the keychain library: only when a keychain is asked for, because it needs system libraries. */
export function loadKeytar(): Result<Keytar> {
  try {
    return ok(load('keytar') as Keytar);
  } catch (error) {
    return fail(explainLoad(realReason(error)));
  }
}

/** The library tries several files and reports none of their errors: ask the one for this platform. */
function realReason(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  try {
    const folder = dirname(load.resolve('keytar/package.json'));
    load(join(folder, 'prebuilds', `${process.platform}-${process.arch}`, 'keytar.node'));
    return said;
  } catch (native) {
    return native instanceof Error ? native.message : said;
  }
}

/** What a failed load means. Pure. */
export function explainLoad(reason: string): Problem {
  const missing = /libsecret/.test(reason);
  return keychainUnavailable(
    missing
      ? 'The keychain cannot be used: the system library libsecret is not installed.'
      : `The keychain cannot be used: ${reason.split('\n')[0] ?? reason}.`,
    missing
      ? 'Install it (Debian, Ubuntu: sudo apt-get install libsecret-1-0; Fedora: sudo dnf install libsecret).'
      : '',
  );
}

export function keychainUnavailable(message: string, hint = ''): Problem {
  return problem({
    code: 'access.keychain-unavailable',
    op: 'use the keychain',
    subject: 'keychain',
    message,
    hint: [hint, PASSPHRASE_CHOICE].filter((part) => part !== '').join(' '),
  });
}

export const keychainLocked: Problem = problem({
  code: 'access.keychain-locked',
  op: 'use the keychain',
  subject: 'keychain',
  message: 'The keychain is locked. The keys in it are not lost.',
  hint: 'Unlock it (log in to the desktop, or open it in your password manager), then try again.',
  retryable: true,
});

/** Milliseconds after which a keychain that says nothing has hung, or waits for somebody. */
export const PATIENCE = 60_000;

/** It said nothing for {@link PATIENCE}. */
export const keychainSilent: Problem = keychainUnavailable(
  'The keychain did not answer within a minute.',
  'It may ask for its password in a window that nobody sees, on another screen or behind others: answer it there, and try again. If there is none, the keychain service hangs: log out of the desktop and in again, or restart the service (gnome-keyring-daemon, kwalletd).',
);

export const keychainLeft: Problem = keychainUnavailable(
  'The keychain was not waited for any longer: the command was interrupted.',
);

/** What an error of the keychain itself means. Pure. */
export function explainKeychain(error: unknown): Problem {
  const said = error instanceof Error ? error.message : String(error);
  if (error instanceof KeychainNotLoaded) return explainLoad(said);
  // The service took the question and gave no answer in the time that the library grants it.
  if (error instanceof KeychainLeft || /timeout was reached|timed out|NoReply/i.test(said))
    return keychainSilent;
  // What libsecret says where the alias "default" leads to no collection, and none could be made without a window.
  if (/Object does not exist at path|No such (secret )?collection/i.test(said))
    return keychainUnavailable(
      'The keychain service runs, and it has no keyring to keep keys in: there is no default one.',
      'Make one: open "Passwords and Keys" (seahorse), choose New, Password keyring, and set it as default. Logging in to the desktop with a password makes one too; without a desktop: printf %s PASSWORD | gnome-keyring-daemon --replace --unlock --components=secrets.',
    );
  if (/locked|interaction is not allowed|dismissed/i.test(said)) return keychainLocked;
  if (/D-?Bus|org\.freedesktop|could not connect/i.test(said))
    return keychainUnavailable(
      `This session has no keychain service (${said}).`,
      'On a desktop it comes with GNOME Keyring or KWallet; over SSH or in a container there is usually none.',
    );
  return keychainUnavailable(`The keychain refused: ${said}.`);
}
