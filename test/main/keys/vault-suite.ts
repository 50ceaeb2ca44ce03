import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { KeyCard } from '../../../src/shared/key.ts';
import type { Vault } from '../../../src/main/keys/vault.ts';
import { problemOf, valueOf } from '../temp.ts';

export const cardOf = (vault: Vault['kind'], name = 'lab'): KeyCard => ({
  id: randomUUID(),
  name,
  email: `${name}@p.iam.gserviceaccount.com`,
  projectId: 'p',
  privateKeyId: 'k',
  clientId: null,
  tokenUri: 'https://oauth2.googleapis.com/token',
  fingerprint: randomUUID(),
  addedAt: '2026-01-01T00:00:00.000Z',
  lastUsedAt: null,
  vault,
});

/** What every vault promises. `again` opens the same vault as a new process would. */
export function vaultSuite(make: () => { vault: Vault; again: () => Vault }): void {
  test('keeps keys of any length under their ids, and gives them back to a new process', async () => {
    const { vault, again } = make();
    const kept: [KeyCard, string][] = [];
    for (const length of [1, 1_199, 1_200, 1_201, 1_630, 3_200]) {
      const card = cardOf(vault.kind, `key-${length}`);
      const secret = 'aB3+'.repeat(length).slice(0, length);
      valueOf(await vault.put(card, secret));
      kept.push([card, secret]);
    }
    const second = again();
    expect((await second.state()).state).toBe('unlocked');
    for (const [card, secret] of kept) expect(valueOf(await second.get(card.id))).toBe(secret);
    const listed = valueOf(await second.list());
    expect(listed.complete).toBe(true);
    const names = listed.cards.map(({ card }) => card.name);
    for (const [card] of kept) expect(names).toContain(card.name);
    for (const [card] of kept) valueOf(await second.remove(card.id));
    expect(problemOf(await vault.get(kept[0]![0].id)).code).toBe('access.key-missing');
    expect(problemOf(await vault.get(kept[5]![0].id)).code).toBe('access.key-missing');
    valueOf(await second.remove(kept[0]![0].id));
  });

  test('a new card replaces the old one and leaves the key', async () => {
    const { vault, again } = make();
    const card = cardOf(vault.kind);
    valueOf(await vault.put(card, 'secret'));
    valueOf(await vault.updateCard({ ...card, name: 'renamed' }));
    const found = valueOf(await again().list()).cards.find((one) => one.card.id === card.id);
    expect(found).toEqual({ card: { ...card, name: 'renamed' }, ownHome: true });
    expect(valueOf(await again().get(card.id))).toBe('secret');
    valueOf(await vault.remove(card.id));
  });

  test('another key takes the place of one, longer or shorter, and a new process reads that alone', async () => {
    const { vault, again } = make();
    const card = cardOf(vault.kind);
    valueOf(await vault.put(card, 'a'.repeat(3_200)));
    for (const [index, secret] of ['b'.repeat(900), 'c'.repeat(2_500)].entries()) {
      const newer = { ...card, fingerprint: `other ${index}`, privateKeyId: `k${index}` };
      valueOf(await vault.replace(newer, secret));
      expect(valueOf(await again().get(card.id))).toBe(secret);
      const found = valueOf(await again().list()).cards.filter((one) => one.card.id === card.id);
      expect(found).toEqual([{ card: newer, ownHome: true }]);
    }
    valueOf(await vault.remove(card.id));
    expect(problemOf(await again().get(card.id)).code).toBe('access.key-missing');
  });

  test('what was never there is missing, not an error of the vault', async () => {
    const { vault } = make();
    valueOf(await vault.put(cardOf(vault.kind), 'x'));
    const problem = problemOf(await vault.get(randomUUID()));
    expect(problem.code).toBe('access.key-missing');
    expect(problem.hint).toContain('trainyard keys');
  });
}
