import { expect, test } from 'vitest';
import { makeSealKey, sealTo } from '../../src/google/sealed.ts';

const TEXT = JSON.stringify({ format: 1, tokens: ['ya29.a-token-that-nobody-else-may-see'] });

test('what is sealed to a key is opened by it alone, for its run alone', () => {
  const own = makeSealKey();
  const sealed = sealTo(own.publicKey, TEXT, 'run-1');
  expect(own.open(sealed, 'run-1')).toBe(TEXT);
  expect(own.open(sealed, 'run-2')).toBeNull();
  expect(makeSealKey().open(sealed, 'run-1')).toBeNull();
  expect(Buffer.from(sealed.data, 'base64url').includes('ya29')).toBe(false);
});

test('the same text is never sealed the same way twice', () => {
  const { publicKey } = makeSealKey();
  const [one, two] = [sealTo(publicKey, TEXT, 'r'), sealTo(publicKey, TEXT, 'r')];
  expect(one.from).not.toBe(two.from);
  expect(one.data).not.toBe(two.data);
});

test('what was changed on the way is not opened, whichever part', () => {
  const own = makeSealKey();
  const sealed = sealTo(own.publicKey, TEXT, 'run-1');
  const flipped = (text: string): string => {
    const bytes = Buffer.from(text, 'base64url');
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    return bytes.toString('base64url');
  };
  for (const part of ['from', 'nonce', 'data'] as const)
    expect(own.open({ ...sealed, [part]: flipped(sealed[part]) }, 'run-1')).toBeNull();
  expect(own.open({ ...sealed, data: 'AAAA' }, 'run-1')).toBeNull();
  expect(own.open({ ...sealed, from: 'AAAA' }, 'run-1')).toBeNull();
});
