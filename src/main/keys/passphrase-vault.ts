import { constants, readFileSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { writeFileAtomically } from '../platform/atomic-file.ts';
import { codeOf, reasonOf, type Environment } from '../platform/paths.ts';
import { withFileLock } from '../store/file-lock.ts';
import {
  deriveKey,
  itemContext,
  newKdfParameters,
  opensCheck,
  seal,
  sealCheck,
  unseal,
  vaultFileSchema,
  type KdfParameters,
  type VaultFile,
} from './sealed-file.ts';
import type { Vault, VaultStatus } from './vault.ts';

const MAX_PASSPHRASE = 4_096;
/** How often a write starts over because another process made or changed the vault's salt meanwhile. */
const ATTEMPTS = 3;

type Opened =
  { readonly file: VaultFile; readonly key: Buffer } | { readonly file: null; readonly key: null };

/**
 * One file, 0600, made by the first key. Its passphrase is what `typed` answers, or, where that is null, what stands in the file that
 * `TRAINYARD_PASSPHRASE_FILE` names.
 */
export function passphraseVault(
  path: string,
  env: Environment,
  typed: () => string | null = () => null,
): Vault {
  const passphraseNow = async (): Promise<Result<string>> => {
    const given = typed();
    return given === null ? readPassphrase(env) : ok(given);
  };
  /** Deriving takes half a second: once for each salt. */
  let derived: { readonly salt: string; readonly passphrase: string; readonly key: Buffer } | null =
    null;

  const keyFor = async (passphrase: string, kdf: KdfParameters): Promise<Buffer> => {
    if (derived?.salt === kdf.salt && derived.passphrase === passphrase) return derived.key;
    const key = await deriveKey(passphrase, kdf);
    derived = { salt: kdf.salt, passphrase, key };
    return key;
  };

  const read = (): Result<VaultFile | null> => readVaultFile(path);

  const open = async (): Promise<Result<Opened>> => {
    const passphrase = await passphraseNow();
    if (!passphrase.ok) return passphrase;
    const file = read();
    if (!file.ok) return file;
    if (file.value === null) return ok({ file: null, key: null });
    const key = await keyFor(passphrase.value, file.value.kdf);
    return opensCheck(key, file.value.check)
      ? ok({ file: file.value, key })
      : fail(wrongPassphrase(path));
  };

  /** Reads, changes and writes the file while no other process does. Says whether there was a change. */
  const change = (body: (file: VaultFile | null) => VaultFile | null): Result<boolean> => {
    try {
      return withFileLock(`${path}.lock`, () => {
        const file = read();
        if (!file.ok) return file;
        const changed = body(file.value);
        if (changed !== null) writeFileAtomically(path, `${JSON.stringify(changed, null, 1)}\n`);
        return ok(changed !== null);
      });
    } catch (error) {
      return fail(unusable(path, 'write', error));
    }
  };

  const state = async (): Promise<VaultStatus> => {
    const opened = await open();
    if (opened.ok) return { state: opened.value.file === null ? 'empty' : 'unlocked' };
    return opened.problem.code === 'access.vault-passphrase'
      ? { state: 'locked', problem: opened.problem }
      : { state: 'unavailable', problem: opened.problem };
  };

  /** Puts a key and its card under the card's id, whatever lay there. */
  const put: Vault['put'] = async (card, privateKey) => {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const opened = await open();
      if (!opened.ok) return opened;
      const passphrase = await passphraseNow();
      if (!passphrase.ok) return passphrase;
      const kdf = opened.value.file?.kdf ?? newKdfParameters();
      const key = opened.value.key ?? (await keyFor(passphrase.value, kdf));
      const changed = change((file) => {
        if (file !== null && file.kdf.salt !== kdf.salt) return null;
        const base: VaultFile = file ?? { format: 1, kdf, check: sealCheck(key), items: {} };
        const item = { card, key: seal(key, privateKey, itemContext(card.id, card.fingerprint)) };
        return { ...base, items: { ...base.items, [card.id]: item } };
      });
      if (!changed.ok) return changed;
      if (changed.value) return ok();
    }
    return fail(unusable(path, 'write', new Error('other programs kept changing it')));
  };

  return {
    kind: 'passphrase',
    state,
    put,
    replace: put,
    async get(id) {
      const opened = await open();
      if (!opened.ok) return opened;
      const item = opened.value.file?.items[id];
      if (opened.value.key === null || item === undefined) return fail(missing(path, id));
      const text = unseal(opened.value.key, item.key, itemContext(id, item.card.fingerprint));
      return text === null ? fail(damaged(path, 'a key in it was changed')) : ok(text);
    },
    async updateCard(card) {
      const changed = change((file) => {
        const item = file?.items[card.id];
        if (file === null || item === undefined) return null;
        return { ...file, items: { ...file.items, [card.id]: { ...item, card } } };
      });
      return changed.ok ? ok() : changed;
    },
    async remove(id) {
      const changed = change((file) => {
        if (file?.items[id] === undefined) return null;
        const items = Object.fromEntries(Object.entries(file.items).filter(([key]) => key !== id));
        return { ...file, items };
      });
      return changed.ok ? ok() : changed;
    },
    async list() {
      const file = read();
      if (!file.ok) return file;
      const cards = Object.values(file.value?.items ?? {}).map(({ card }) => ({
        card,
        ownHome: true,
      }));
      return ok({ cards, complete: true });
    },
  };
}

/** How a shell hands over what a program writes: `TRAINYARD_PASSPHRASE_FILE=<(pass show trainyard)`. Whoever made it writes to it, and ends. */
const DESCRIPTOR = /^\/(dev\/stdin|(dev|proc\/(self|\d+))\/fd\/\d+)$/;

/**
 * The text of a file, as far as a passphrase may reach and a little more; null where it is no regular file: nobody may ever write to a named pipe, and
 * a device has no end. Throws what the system throws.
 */
async function beginningOf(path: string): Promise<string | null> {
  if (DESCRIPTOR.test(path) && !(await stat(path)).isFile()) return readFile(path, 'utf8');
  // Without O_NONBLOCK a named pipe would wait for a writer for ever; on Windows the flag does not exist.
  const wait = process.platform === 'win32' ? 0 : constants.O_NONBLOCK;
  const file = await open(path, constants.O_RDONLY | wait);
  try {
    if (!(await file.stat()).isFile()) return null;
    const buffer = Buffer.alloc(MAX_PASSPHRASE * 4 + 4);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) return buffer.toString('utf8', 0, length);
      length += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** The passphrase: the file's text without the line break at its end. Errors: `input.passphrase-file`. */
export async function readPassphrase(env: Environment): Promise<Result<string>> {
  const path = env['TRAINYARD_PASSPHRASE_FILE'] ?? '';
  const refuse = (message: string): Result<never> =>
    fail(
      problem({
        code: 'input.passphrase-file',
        op: 'read the passphrase',
        subject: path,
        message,
        hint: 'Set TRAINYARD_PASSPHRASE_FILE to a file, readable by you alone, whose one line is the passphrase.',
      }),
    );
  if (path === '')
    return refuse(
      'The passphrase vault is chosen, and TRAINYARD_PASSPHRASE_FILE names no passphrase file.',
    );
  try {
    const read = await beginningOf(path);
    if (read === null) return refuse(`The passphrase file ${path} is not a regular file.`);
    const text = read.replace(/\r?\n$/, '');
    if (text === '') return refuse(`The passphrase file ${path} is empty.`);
    if (text.length > MAX_PASSPHRASE)
      return refuse(`The passphrase file ${path} is longer than a passphrase can be.`);
    return ok(text);
  } catch (error) {
    return refuse(`The passphrase file ${path} cannot be read: ${reasonOf(error)}.`);
  }
}

function readVaultFile(path: string): Result<VaultFile | null> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? ok(null) : fail(unusable(path, 'read', error));
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail(damaged(path, 'it is not JSON'));
  }
  if (isLater(value))
    return fail({
      ...damaged(path, 'a later version of Trainyard made it'),
      hint: 'Update this one.',
    });
  const parsed = vaultFileSchema.safeParse(value);
  return parsed.success ? ok(parsed.data) : fail(damaged(path, 'its fields are not as agreed'));
}

function isLater(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && 'format' in value && Number(value.format) > 1
  );
}

function wrongPassphrase(path: string): Problem {
  return problem({
    code: 'access.vault-passphrase',
    op: 'open the passphrase vault',
    subject: path,
    message: 'The passphrase does not open the vault. Its keys are not lost.',
    hint: 'Put the passphrase that the vault was made with into the file that TRAINYARD_PASSPHRASE_FILE names.',
  });
}

function missing(path: string, id: string): Problem {
  return problem({
    code: 'access.key-missing',
    op: 'read the key',
    subject: id,
    message: `The passphrase vault ${path} does not hold this key.`,
    hint: 'Remove the key (`trainyard keys remove`) and add its file again.',
  });
}

function damaged(path: string, what: string): Problem {
  return problem({
    code: 'host.vault-damaged',
    op: 'read the passphrase vault',
    subject: path,
    message: `The passphrase vault ${path} cannot be used: ${what}.`,
    hint: 'Put a copy of it back, or move it away and add the keys again.',
  });
}

function unusable(path: string, verb: 'read' | 'write', error: unknown): Problem {
  return problem({
    code: 'host.vault-file',
    op: `${verb} the passphrase vault`,
    subject: path,
    message: `The passphrase vault ${path} cannot be ${verb === 'read' ? 'read' : 'written'}: ${reasonOf(error)}.`,
    hint: 'Make it and its folder yours to read and write, and see that the disk has room.',
    retryable: true,
  });
}
