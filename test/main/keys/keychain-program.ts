// Runs inside a private D-Bus session with a real keyring: `verb argument...`, answers one JSON document.
import { keychainVault } from '../../../src/main/keys/keychain-vault.ts';
import type { KeyCard } from '../../../src/shared/key.ts';

/** A card with an id and a name. */
const cardOf = (id: string, name: string): KeyCard => ({
  id,
  name,
  email: 'trainer@p.iam.gserviceaccount.com',
  projectId: 'p',
  privateKeyId: 'k',
  clientId: null,
  tokenUri: 'https://oauth2.googleapis.com/token',
  fingerprint: id,
  addedAt: '2026-01-01T00:00:00.000Z',
  lastUsedAt: null,
  vault: 'keychain',
});

const [verb = '', home = '', ...rest] = process.argv.slice(2);
const vault = keychainVault({ home });
const answer = async (): Promise<unknown> => {
  switch (verb) {
    case 'state':
      return vault.state();
    case 'put':
      return vault.put(cardOf(rest[0] ?? '', rest[1] ?? ''), 'aB3+'.repeat(Number(rest[2])));
    case 'rename':
      return vault.updateCard(cardOf(rest[0] ?? '', rest[1] ?? ''));
    case 'get':
      return vault.get(rest[0] ?? '');
    case 'remove':
      return vault.remove(rest[0] ?? '');
    case 'list':
      return vault.list();
    default:
      throw new Error(`unknown verb ${verb}`);
  }
};
process.stdout.write(JSON.stringify(await answer()));
