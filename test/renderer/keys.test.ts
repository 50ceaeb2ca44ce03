import { describe, expect, it } from 'vitest';
import { daysSince, wantsReplacing } from '../../src/shared/key-age.ts';
import { withArrival, type Arrival } from '../../src/renderer/features/keys/arrivals.ts';
import {
  checksOf,
  formatAge,
  freeName,
  groupDigits,
} from '../../src/renderer/features/keys/key-words.ts';

const DAY = 86_400_000;

describe('ages', () => {
  it('are told in the unit that people count in', () => {
    const ages = [0, 0.9, 1, 2.5, 59, 61, 365, 729, 731, 1_100, -5];
    expect(ages.map((days) => formatAge(days * DAY))).toEqual([
      'today',
      'today',
      '1 day',
      '2 days',
      '59 days',
      '2 months',
      '11 months',
      '23 months',
      '2 years',
      '3 years',
      'today',
    ]);
  });

  it('of 90 days and more ask for a new key', () => {
    const now = Date.parse('2026-06-01T00:00:00Z');
    expect(wantsReplacing('2026-05-01T00:00:00Z', now)).toBe(false);
    expect(wantsReplacing('2026-03-03T00:00:01Z', now)).toBe(false);
    expect(wantsReplacing('2026-03-03T00:00:00Z', now)).toBe(true);
    expect(daysSince('2026-03-03T00:00:00Z', now)).toBe(90);
    expect(daysSince('2026-06-02T00:00:00Z', now)).toBe(0);
  });
});

describe('a card', () => {
  it('says what was checked, and where signatures go', () => {
    const real = checksOf({ bits: 4096, tokenUri: 'https://oauth2.googleapis.com/token' });
    expect(real.join('\n')).toContain('RSA of 4,096 bits');
    expect(real.join('\n')).toContain('Google and nowhere else');
    const emulated = checksOf({ bits: 2048, tokenUri: 'http://127.0.0.1:9/token' });
    expect(emulated.join('\n')).toContain('emulator in force, http://127.0.0.1:9/token');
  });

  it('groups digits by four and loses none', () => {
    expect(groupDigits('0123456789')).toBe('0123 4567 89');
    expect(groupDigits('')).toBe('');
  });

  it('finds a name that nobody has', () => {
    expect(freeName('lab', [])).toBe('lab');
    expect(freeName('lab', ['lab', 'lab-2'])).toBe('lab-3');
  });
});

describe('arrivals', () => {
  it('come to the front and stay in their place', () => {
    const reading = (id: number): Arrival => ({ id, name: `${id}`, state: { kind: 'reading' } });
    const two = withArrival(withArrival([], reading(1)), reading(2));
    expect(two.map(({ id }) => id)).toEqual([2, 1]);
    const changed = withArrival(two, { ...reading(1), name: 'changed' });
    expect(changed.map(({ name }) => name)).toEqual(['2', 'changed']);
  });
});
