import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GOOGLE_ENDPOINTS, type GoogleEndpoints } from '../../../src/shared/endpoints.ts';
import { exitStatusOf } from '../../../src/shared/problem.ts';
import { endpointsFromEnvironment } from '../../../src/google/endpoints.ts';
import { chooseVaults } from '../../../src/main/keys/choose-vault.ts';
import { freeKeyName } from '../../../src/main/keys/names.ts';
import { keyService, type KeyService } from '../../../src/main/keys/service.ts';
import { chosenVault } from '../../../src/main/keys/vault-choice.ts';
import { openLog } from '../../../src/main/platform/log.ts';
import { pathsBelow } from '../../../src/main/platform/paths.ts';
import { keyUseRows } from '../../../src/main/store/key-uses.ts';
import { keyRows } from '../../../src/main/store/keys.ts';
import { openStore } from '../../../src/main/store/open.ts';
import { settingRows } from '../../../src/main/store/settings.ts';
import { startEmulator, type RunningEmulator } from '../../emulator/start.ts';
import { emulatedAt, serve } from '../../google/token-server.ts';
import { problemOf, temporaryFolder, valueOf, writeKeyFile } from '../temp.ts';

/** What the log is told. */
const LOOK = { operation: 'check', reason: 'check', job: null } as const;

interface Home {
  folder: string;
  open: (endpoints?: GoogleEndpoints) => KeyService;
  deleteDatabase: () => void;
}

function freshHome(): Home {
  const folder = temporaryFolder();
  const paths = pathsBelow(join(folder, 'home'));
  mkdirSync(paths.home);
  const passphrase = join(folder, 'passphrase');
  writeFileSync(passphrase, 'open sesame\n');
  const env = { TRAINYARD_VAULT: 'passphrase', TRAINYARD_PASSPHRASE_FILE: passphrase };
  return {
    folder,
    open: (endpoints = GOOGLE_ENDPOINTS) => {
      const log = openLog(join(paths.logs, 'log'));
      const store = openStore(paths.database, log);
      const vaults = chooseVaults(env, paths);
      return keyService({
        rows: keyRows(store),
        uses: keyUseRows(store),
        settings: settingRows(store),
        vaults,
        endpoints,
        log,
      });
    },
    deleteDatabase: () => {
      for (const suffix of ['', '-wal', '-shm'])
        rmSync(`${paths.database}${suffix}`, { force: true });
    },
  };
}

test('a key is added, listed, renamed, loaded and removed without any network', async () => {
  const { folder, open } = freshHome();
  const file = join(folder, 'my key.json');
  const pem = writeKeyFile(file);
  const keys = open();
  const card = valueOf(await keys.add(file));
  expect(card).toMatchObject({
    name: 'trainer',
    email: 'trainer@demo-project.iam.gserviceaccount.com',
    projectId: 'demo-project',
    vault: 'passphrase',
  });
  expect(JSON.stringify(card)).not.toContain(pem.split('\n')[1]);
  rmSync(file);
  expect(valueOf(await open().list())).toEqual([card]);
  valueOf(await keys.rename('trainer', 'lab'));
  for (const wanted of ['lab', card.id, card.email])
    expect(valueOf(await open().find(wanted)).name).toBe('lab');
  const loaded = valueOf(await open().load(card.id, LOOK));
  expect(loaded.privateKey).toBe(pem.split('\n').slice(1, -2).join(''));
  expect(valueOf(await open().list())[0]!.lastUsedAt).not.toBeNull();
  valueOf(await keys.remove('lab'));
  expect(valueOf(await open().list())).toEqual([]);
  expect(problemOf(await open().find('lab')).code).toBe('input.key-unknown');
});

test('the same key twice is refused, saying which; another key of the account is not', async () => {
  const { folder, open } = freshHome();
  const keys = open();
  const pem = writeKeyFile(join(folder, 'a.json'));
  valueOf(await keys.add(join(folder, 'a.json'), { name: 'first' }));
  writeKeyFile(join(folder, 'b.json'), { pem });
  const problem = problemOf(await keys.add(join(folder, 'b.json')));
  expect(problem.code).toBe('input.key-known');
  expect(problem.message).toContain('"first"');
  writeKeyFile(join(folder, 'c.json'));
  expect(valueOf(await keys.add(join(folder, 'c.json'))).name).toBe('trainer');
  writeKeyFile(join(folder, 'd.json'));
  expect(valueOf(await keys.add(join(folder, 'd.json'))).name).toBe('d');
  const ambiguous = problemOf(await keys.find('trainer@demo-project.iam.gserviceaccount.com'));
  expect(ambiguous.code).toBe('input.key-ambiguous');
  writeKeyFile(join(folder, 'e.json'));
  expect(problemOf(await keys.add(join(folder, 'e.json'), { name: 'first' })).code).toBe(
    'input.key-name-taken',
  );
  expect(problemOf(await keys.rename('d', 'first')).code).toBe('input.key-name-taken');
  expect(problemOf(await keys.rename('d', '../x')).code).toBe('input.key-name');
});

test('what is no key file is bad input', async () => {
  const { folder, open } = freshHome();
  const text = join(folder, 'notes.json');
  writeFileSync(text, '{"type":"authorized_user"}');
  for (const path of [text, folder, join(folder, 'missing.json'), '/dev/null', '/dev/zero']) {
    const problem = problemOf(await open().add(path));
    expect(exitStatusOf(problem)).toBe(2);
    expect(problem.message).not.toBe('');
  }
});

test('a newer key of the account takes the place of one; another account and a known key do not', async () => {
  const { folder, open } = freshHome();
  const keys = open();
  const file = (name: string) => join(folder, name);
  writeKeyFile(file('a.json'));
  const card = valueOf(await keys.add(file('a.json'), { name: 'lab' }));
  const pem = writeKeyFile(file('b.json'));
  const newer = valueOf(await keys.read(file('b.json')));
  const replaced = valueOf(await keys.replace('lab', newer));
  expect(replaced).toMatchObject({ id: card.id, name: 'lab', email: card.email });
  expect(replaced.fingerprint).not.toBe(card.fingerprint);
  expect(replaced.privateKeyId).toBe(newer.privateKeyId);
  expect(valueOf(await open().list())).toEqual([replaced]);
  expect(valueOf(await open().load(card.id, LOOK)).privateKey).toBe(
    pem.split('\n').slice(1, -2).join(''),
  );
  expect(problemOf(await keys.replace('lab', newer)).code).toBe('input.key-known');
  writeKeyFile(file('c.json'), { email: 'other@demo-project.iam.gserviceaccount.com' });
  const other = valueOf(await keys.read(file('c.json')));
  expect(problemOf(await keys.replace('lab', other)).code).toBe('input.key-other-account');
  expect(problemOf(await keys.replace('nobody', newer)).code).toBe('input.key-unknown');
  const [listed, ...more] = valueOf(await open().list());
  expect({ ...listed, lastUsedAt: null }).toEqual(replaced);
  expect(more).toEqual([]);
});

test('a passphrase that is typed makes and opens the vault, and its choice is kept', async () => {
  const folder = temporaryFolder();
  const paths = pathsBelow(join(folder, 'home'));
  mkdirSync(paths.home);
  const open = (env: Record<string, string> = {}): KeyService => {
    const log = openLog(join(paths.logs, 'log'));
    const store = openStore(paths.database, log);
    const settings = settingRows(store);
    return keyService({
      rows: keyRows(store),
      uses: keyUseRows(store),
      settings,
      vaults: chooseVaults(env, paths, () => chosenVault(settings)),
      endpoints: GOOGLE_ENDPOINTS,
      log,
    });
  };
  const keys = open();
  expect(problemOf(await keys.openPassphraseVault('short')).code).toBe('input.passphrase-short');
  expect(
    problemOf(await open({ TRAINYARD_VAULT: 'keychain' }).openPassphraseVault('long enough')).code,
  ).toBe('input.vault');
  valueOf(await keys.openPassphraseVault('four words in order'));
  expect(await keys.vaultStatus()).toMatchObject({
    kind: 'passphrase',
    decidedBy: 'setting',
    state: 'empty',
  });
  writeKeyFile(join(folder, 'a.json'));
  const card = valueOf(await keys.add(join(folder, 'a.json')));
  expect(card.vault).toBe('passphrase');

  const later = open();
  expect(await later.vaultStatus()).toMatchObject({ kind: 'passphrase', state: 'unavailable' });
  expect(problemOf(await later.load(card.id, LOOK)).code).toBe('input.passphrase-file');
  expect(problemOf(await later.openPassphraseVault('four words in ordex')).code).toBe(
    'access.vault-passphrase',
  );
  expect(problemOf(await later.load(card.id, LOOK)).code).toBe('input.passphrase-file');
  valueOf(await later.openPassphraseVault('four words in order'));
  valueOf(await later.load(card.id, LOOK));
  // A terminal has the same vault with the passphrase in a file.
  writeFileSync(join(folder, 'passphrase'), 'four words in order\n');
  valueOf(
    await open({ TRAINYARD_PASSPHRASE_FILE: join(folder, 'passphrase') }).load(card.id, LOOK),
  );

  valueOf(later.useKeychain());
  expect(await open().vaultStatus()).toMatchObject({ kind: 'keychain', decidedBy: 'setting' });
  valueOf(await later.load(card.id, LOOK));
});

test('every key is back after the database was deleted', async () => {
  const { folder, open, deleteDatabase } = freshHome();
  writeKeyFile(join(folder, 'a.json'));
  const card = valueOf(await open().add(join(folder, 'a.json'), { name: 'lab' }));
  valueOf(await open().rename('lab', 'bench'));
  deleteDatabase();
  expect(valueOf(await open().list())).toEqual([{ ...card, name: 'bench' }]);
  valueOf(await open().load(card.id, LOOK));
});

test('the chosen vault is never left silently', async () => {
  const folder = temporaryFolder();
  const paths = pathsBelow(folder);
  expect(problemOf(chooseVaults({ TRAINYARD_VAULT: 'plain' }, paths)).code).toBe('input.vault');
  expect(valueOf(chooseVaults({}, paths)).chosen.kind).toBe('keychain');
  expect(valueOf(chooseVaults({ TRAINYARD_VAULT: 'passphrase' }, paths)).chosen.kind).toBe(
    'passphrase',
  );
});

test('a free name is found', () => {
  const of = (...taken: string[]): string =>
    freeKeyName('a@p.x', '/k/my key (1).json', new Set(taken));
  expect(of()).toBe('a');
  expect(of('a')).toBe('my-key-1-');
  expect(of('a', 'my-key-1-')).toBe('a-2');
  expect(of('a', 'my-key-1-', 'a-2')).toBe('a-3');
});

test('a check without a network says so and fails nothing', async () => {
  const { folder, open } = freshHome();
  const keys = open(emulatedAt('http://127.0.0.1:9'));
  writeKeyFile(join(folder, 'a.json'), { tokenUri: 'http://127.0.0.1:9/token' });
  valueOf(await keys.add(join(folder, 'a.json')));
  const began = Date.now();
  const check = valueOf(await keys.check('trainer'));
  expect(check.result).toBe('offline');
  expect(Date.now() - began).toBeLessThan(6_000);
}, 15_000);

test('a check that a proxy answers in Google’s place could not tell, and is not offline', async () => {
  const proxy = await serve((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>');
  });
  try {
    const { folder, open } = freshHome();
    const tokenUri = `${proxy.url}/token`;
    const keys = open(emulatedAt(proxy.url));
    writeKeyFile(join(folder, 'a.json'), { tokenUri });
    valueOf(await keys.add(join(folder, 'a.json')));
    expect(valueOf(await keys.check('trainer'))).toMatchObject({
      result: 'could-not-tell',
      problem: { code: 'network.unexpected-answer' },
    });
  } finally {
    await proxy.stop();
  }
});

describe('with the embedded Google', () => {
  let emulator: RunningEmulator;
  beforeAll(async () => {
    emulator = await startEmulator({ accounts: [{ name: 'trainer' }] });
  });
  afterAll(() => emulator.stop());

  test('a check mints a token; a stranger’s key is refused as access', async () => {
    const { folder, open } = freshHome();
    const keys = open(valueOf(endpointsFromEnvironment(emulator.environment)));
    valueOf(await keys.add(emulator.keyFiles['trainer']!));
    const check = valueOf(await keys.check('trainer'));
    expect(check).toMatchObject({ result: 'works' });
    const stranger = join(folder, 'stranger.json');
    writeKeyFile(stranger, { email: 'stranger@demo-project.iam.gserviceaccount.com' });
    valueOf(await keys.add(stranger));
    expect(exitStatusOf(problemOf(await keys.check('stranger')))).toBe(3);
    const source = valueOf(await keys.tokenSource(check.card, 'write', 'copy'));
    expect(valueOf(await source.token()).token).not.toBe('');
  });
});
