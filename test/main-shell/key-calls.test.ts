import { describe, expect, it } from 'vitest';
import { KEY_CALLS } from '../../src/shared/ipc/keys.ts';

type Name = keyof typeof KEY_CALLS;
const accepts = (name: Name, args: unknown): boolean =>
  KEY_CALLS[name].args.safeParse(args).success;

/** Arguments as the window sends them. */
const GOOD: Readonly<Record<Name, unknown>> = {
  'keys-list': {},
  'keys-jobs': { id: 'x' },
  'keys-dependents': { id: 'x' },
  'keys-uses': { id: 'x' },
  'keys-read-file': { path: '/tmp/key.json' },
  'keys-pick-files': {},
  'keys-paste': {},
  'keys-discard': { handle: 'x' },
  'keys-take': { handle: 'x', name: 'lab' },
  'keys-replace': { handle: 'x', id: 'y' },
  'keys-clear-original': { handle: 'x' },
  'keys-rename': { id: 'x', name: 'lab' },
  'keys-remove': { id: 'x' },
  'keys-check': { id: 'x' },
  'keys-vault': {},
  'keys-open-passphrase-vault': { passphrase: 'four words in order' },
  'keys-use-keychain': {},
  'keys-offered': {},
  'keys-adopt': { id: 'x', name: 'lab' },
};

describe('the calls of keys', () => {
  it('take what the window sends, and nothing more, less, longer or of another kind', () => {
    for (const name of Object.keys(GOOD) as Name[]) {
      const good = GOOD[name] as Record<string, string>;
      expect(accepts(name, good), name).toBe(true);
      expect(accepts(name, { ...good, more: 1 }), name).toBe(false);
      expect(accepts(name, null), name).toBe(false);
      for (const field of Object.keys(good)) {
        const rest = Object.fromEntries(Object.entries(good).filter(([known]) => known !== field));
        expect(accepts(name, rest), `${name} without ${field}`).toBe(false);
        expect(
          accepts(name, { ...good, [field]: 'x'.repeat(5_000) }),
          `${name} long ${field}`,
        ).toBe(false);
        expect(accepts(name, { ...good, [field]: { $ne: 1 } }), `${name} ${field}`).toBe(false);
      }
    }
  });

  it('answer with what is declared: a private key that a bug puts beside it does not cross', () => {
    const card = {
      id: 'x',
      name: 'lab',
      email: 'trainer@p.iam.gserviceaccount.com',
      projectId: 'p',
      privateKeyId: 'k',
      clientId: null,
      tokenUri: 'https://oauth2.googleapis.com/token',
      fingerprint: 'f',
      addedAt: '2026-01-01T00:00:00.000Z',
      lastUsedAt: null,
      vault: 'keychain',
    } as const;
    const candidate = {
      ...{ handle: 'h', source: 'file', name: 'a.json', folder: '/', readableByOthers: false },
      ...{ email: card.email, projectId: 'p', privateKeyId: 'k', fingerprint: 'f', bits: 2048 },
      ...{ tokenUri: card.tokenUri, suggestedName: 'a', known: null, sameAccount: [] },
    } as const;
    const read = KEY_CALLS['keys-read-file'].value;
    expect(read.parse({ ...candidate, privateKey: 'secret' })).toEqual(candidate);
    const list = KEY_CALLS['keys-list'].value;
    expect(list.parse([card])).toEqual([card]);
    expect(list.safeParse([{ ...card, privateKey: 'secret' }]).success).toBe(false);
  });
});
