import { chmodSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createSecretSearch } from '../../../src/cli/demo/secret-search.ts';
import { keyCandidates } from '../../../src/main/keys/candidates.ts';
import { chooseVaults } from '../../../src/main/keys/choose-vault.ts';
import { keyService } from '../../../src/main/keys/service.ts';
import { openLog } from '../../../src/main/platform/log.ts';
import { pathsBelow } from '../../../src/main/platform/paths.ts';
import { keyUseRows } from '../../../src/main/store/key-uses.ts';
import { keyRows } from '../../../src/main/store/keys.ts';
import { openStore } from '../../../src/main/store/open.ts';
import { settingRows } from '../../../src/main/store/settings.ts';
import { CANDIDATE_MINUTES } from '../../../src/shared/ipc/keys.ts';
import { GOOGLE_ENDPOINTS } from '../../../src/shared/endpoints.ts';
import { problemOf, temporaryFolder, valueOf, writeKeyFile } from '../temp.ts';

function home() {
  const folder = temporaryFolder();
  const paths = pathsBelow(join(folder, 'home'));
  mkdirSync(paths.home);
  const passphrase = join(folder, 'passphrase');
  writeFileSync(passphrase, 'open sesame\n');
  const log = openLog(join(paths.logs, 'log'));
  const store = openStore(paths.database, log);
  const keys = keyService({
    rows: keyRows(store),
    uses: keyUseRows(store),
    settings: settingRows(store),
    vaults: chooseVaults(
      { TRAINYARD_VAULT: 'passphrase', TRAINYARD_PASSPHRASE_FILE: passphrase },
      paths,
    ),
    endpoints: GOOGLE_ENDPOINTS,
    log,
  });
  const clock = { time: Date.parse('2026-01-01T00:00:00Z'), now: () => clock.time };
  return { folder, keys, clock, candidates: keyCandidates(keys, clock) };
}

test('a file is described without its secret, taken under a name, and its original known until it changes', async () => {
  const { folder, keys, candidates } = home();
  const file = join(folder, 'key.json');
  const pem = writeKeyFile(file);
  const found = valueOf(await candidates.readFile(file));
  expect(found).toMatchObject({
    source: 'file',
    name: 'key.json',
    folder,
    readableByOthers: false,
    email: 'trainer@demo-project.iam.gserviceaccount.com',
    projectId: 'demo-project',
    bits: 2048,
    suggestedName: 'trainer',
    known: null,
    sameAccount: [],
  });
  const der = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64');
  expect(createSecretSearch(der).inBytes(Buffer.from(JSON.stringify(found)))).toBeNull();
  expect(createSecretSearch(der).inBytes(readFileSync(file))).not.toBeNull();

  // Before it is kept the file is its only copy.
  expect(problemOf(await candidates.original(found.handle)).code).toBe('input.key-handle');
  expect(problemOf(await candidates.take(found.handle, '../x')).code).toBe('input.key-name');
  const card = valueOf(await candidates.take(found.handle, 'lab'));
  expect(valueOf(await keys.list())).toEqual([card]);
  expect(problemOf(await candidates.take(found.handle, 'twice')).code).toBe('input.key-handle');
  expect(valueOf(await candidates.original(found.handle))).toEqual({ source: 'file', path: file });
  utimesSync(file, 1, 1);
  expect(problemOf(await candidates.original(found.handle)).code).toBe('input.key-original');

  const again = valueOf(await candidates.readFile(file));
  expect(again.known).toEqual({ id: card.id, name: 'lab' });
  expect(again.sameAccount).toEqual([]);
});

test('a newer key of the account is told as such and replaces the earlier one', async () => {
  const { folder, keys, candidates } = home();
  writeKeyFile(join(folder, 'a.json'));
  const earlier = valueOf(await keys.add(join(folder, 'a.json'), { name: 'lab' }));
  writeKeyFile(join(folder, 'b.json'));
  chmodSync(join(folder, 'b.json'), 0o644);
  const found = valueOf(await candidates.readFile(join(folder, 'b.json')));
  expect(found).toMatchObject({
    readableByOthers: true,
    known: null,
    sameAccount: [{ id: earlier.id, name: 'lab' }],
  });
  const card = valueOf(await candidates.replace(found.handle, earlier.id));
  expect(card).toMatchObject({ id: earlier.id, name: 'lab', fingerprint: found.fingerprint });
  expect(valueOf(await candidates.original(found.handle))).toMatchObject({ source: 'file' });
});

test('the clipboard is read as a file is, and named in refusals', async () => {
  const { folder, candidates } = home();
  expect(problemOf(await candidates.readText(' \n')).code).toBe('input.key-clipboard');
  const refused = problemOf(await candidates.readText('{"type":"authorized_user"}'));
  expect(refused.subject).toBe('the clipboard');
  writeKeyFile(join(folder, 'a.json'));
  const text = readFileSync(join(folder, 'a.json'), 'utf8');
  const found = valueOf(await candidates.readText(text));
  expect(found).toMatchObject({ source: 'clipboard', name: 'the clipboard', folder: null });
  valueOf(await candidates.take(found.handle, found.suggestedName));
  expect(valueOf(await candidates.original(found.handle))).toEqual({ source: 'clipboard', text });
});

test('what nobody takes is forgotten: after some minutes, when discarded, when too many wait', async () => {
  const { folder, candidates, clock } = home();
  const file = join(folder, 'a.json');
  writeKeyFile(file);
  const late = valueOf(await candidates.readFile(file));
  clock.time += (CANDIDATE_MINUTES * 60 + 1) * 1_000;
  expect(problemOf(await candidates.take(late.handle, 'late')).code).toBe('input.key-handle');
  const discarded = valueOf(await candidates.readFile(file));
  candidates.discard(discarded.handle);
  expect(problemOf(await candidates.take(discarded.handle, 'x')).code).toBe('input.key-handle');
  const first = valueOf(await candidates.readFile(file));
  for (let count = 0; count < 50; count += 1) valueOf(await candidates.readFile(file));
  expect(problemOf(await candidates.take(first.handle, 'x')).code).toBe('input.key-handle');
  for (const path of [folder, join(folder, 'missing.json'), '/dev/zero'])
    expect(problemOf(await candidates.readFile(path)).subject).toBe(path);
});
