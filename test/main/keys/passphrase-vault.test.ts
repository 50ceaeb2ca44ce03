import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { passphraseVault, readPassphrase } from '../../../src/main/keys/passphrase-vault.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';
import { cardOf, vaultSuite } from './vault-suite.ts';

function fresh(passphrase = 'correct horse\n'): {
  path: string;
  env: Record<string, string>;
} {
  const folder = temporaryFolder();
  const file = join(folder, 'passphrase');
  writeFileSync(file, passphrase, { mode: 0o600 });
  return { path: join(folder, 'vault.json'), env: { TRAINYARD_PASSPHRASE_FILE: file } };
}

describe('the passphrase vault', () => {
  vaultSuite(() => {
    const { path, env } = fresh();
    return { vault: passphraseVault(path, env), again: () => passphraseVault(path, env) };
  });
});

test('the file is closed to others and holds no key in the clear', async () => {
  const { path, env } = fresh();
  const vault = passphraseVault(path, env);
  expect((await vault.state()).state).toBe('empty');
  const secret = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw'.repeat(40);
  valueOf(await vault.put(cardOf('passphrase'), secret));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const text = readFileSync(path, 'utf8');
  for (const form of [
    secret,
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret, 'base64').toString('latin1'),
  ])
    for (let at = 0; at + 20 < form.length; at += 20)
      expect(text).not.toContain(form.slice(at, at + 20));
});

test('a wrong passphrase is refused, and what is there is not overwritten', async () => {
  const { path, env } = fresh();
  const card = cardOf('passphrase');
  valueOf(await passphraseVault(path, env).put(card, 'secret'));
  const before = readFileSync(path, 'utf8');
  const other = passphraseVault(path, fresh('another').env);
  expect((await other.state()).state).toBe('locked');
  for (const result of [await other.get(card.id), await other.put(cardOf('passphrase', 'b'), 'x')])
    expect(problemOf(result).code).toBe('access.vault-passphrase');
  expect(readFileSync(path, 'utf8')).toBe(before);
  // Cards need no passphrase: lists work, and rows can be made again.
  expect(valueOf(await other.list()).cards).toHaveLength(1);
});

test('without a passphrase file it says which variable to set', async () => {
  const vault = passphraseVault(fresh().path, {});
  const problem = problemOf(await vault.put(cardOf('passphrase'), 'x'));
  expect(problem.code).toBe('input.passphrase-file');
  expect(problem.hint).toContain('TRAINYARD_PASSPHRASE_FILE');
  expect((await passphraseVault(fresh().path, fresh('\n').env).state()).state).toBe('unavailable');
});

test('a passphrase file that nobody may ever write to, or that has no end, is refused at once', async () => {
  const pipe = join(temporaryFolder(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const said = async (file: string) =>
    problemOf(await readPassphrase({ TRAINYARD_PASSPHRASE_FILE: file }));
  for (const file of [pipe, '/dev/zero'])
    expect(await said(file)).toMatchObject({
      code: 'input.passphrase-file',
      message: `The passphrase file ${file} is not a regular file.`,
    });
  const { env } = fresh('x'.repeat(1 << 20));
  expect(problemOf(await readPassphrase(env)).message).toContain('longer than');
  expect(valueOf(await readPassphrase(fresh().env))).toBe('correct horse');
});

test('a changed byte, a moved item, torn and later files are noticed', async () => {
  const { path, env } = fresh();
  const vault = passphraseVault(path, env);
  const [a, b] = [cardOf('passphrase', 'a'), cardOf('passphrase', 'b')];
  valueOf(await vault.put(a, 'secret-a'));
  valueOf(await vault.put(b, 'secret-b'));
  const text = readFileSync(path, 'utf8');
  const file = JSON.parse(text) as { items: Record<string, { key: { data: string } }> };
  const swapped = structuredClone(file);
  swapped.items[a.id]!.key = file.items[b.id]!.key;
  writeFileSync(path, JSON.stringify(swapped));
  expect(problemOf(await vault.get(a.id)).code).toBe('host.vault-damaged');
  expect(valueOf(await vault.get(b.id))).toBe('secret-b');
  writeFileSync(path, text.slice(0, 300));
  expect(problemOf(await vault.get(b.id)).code).toBe('host.vault-damaged');
  expect(problemOf(await vault.put(cardOf('passphrase', 'c'), 'x')).code).toBe(
    'host.vault-damaged',
  );
  writeFileSync(path, JSON.stringify({ ...file, format: 2 }));
  expect(problemOf(await vault.get(b.id)).message).toContain('later version');
});

test('writers at once, also at the very first key, lose nothing', async () => {
  const { path, env } = fresh();
  const cards = Array.from({ length: 4 }, (_, number) => cardOf('passphrase', `k${number}`));
  const results = await Promise.all(
    cards.map((card) => passphraseVault(path, env).put(card, `secret ${card.name}`)),
  );
  results.forEach(valueOf);
  const vault = passphraseVault(path, env);
  for (const card of cards) expect(valueOf(await vault.get(card.id))).toBe(`secret ${card.name}`);
});
