import { describe, expect, it } from 'vitest';
import { crc32cCombine, decodeCrc32c, encodeCrc32c } from '../../src/transfer/crc32c.ts';
import { crc32c, crc32cKind, javascriptCrc32c } from '../../src/transfer/native-crc32c.ts';
import { fc } from '../support/properties.ts';

describe('crc32c', () => {
  it('is native here and gives the published check values', () => {
    expect(crc32cKind).toBe('native');
    // RFC 3720, B.4.
    expect(crc32c(Buffer.alloc(32), 0)).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff), 0)).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from('123456789'), 0)).toBe(0xe3069283);
  });
  it('is the same in JavaScript, whole or continued', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (a, b) => {
        expect(javascriptCrc32c(a, 0)).toBe(crc32c(a, 0));
        expect(javascriptCrc32c(b, javascriptCrc32c(a, 0))).toBe(crc32c(b, crc32c(a, 0)));
      }),
    );
  });
  it('of two parts is put together from theirs', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 5000 }),
        fc.uint8Array({ maxLength: 5000 }),
        (a, b) => {
          const whole = crc32c(Buffer.concat([a, b]), 0);
          expect(crc32cCombine(crc32c(a, 0), crc32c(b, 0), b.length)).toBe(whole);
        },
      ),
    );
  });
  it('of long parts too', () => {
    const a = Buffer.alloc(3_000_001, 'abc');
    const b = Buffer.alloc(5_000_003, 'xyz1');
    expect(crc32cCombine(crc32c(a, 0), crc32c(b, 0), b.length)).toBe(
      crc32c(Buffer.concat([a, b]), 0),
    );
  });
  it('is written as Cloud Storage writes it', () => {
    expect(encodeCrc32c(0xe3069283)).toBe('4waSgw==');
    expect(decodeCrc32c('4waSgw==')).toBe(0xe3069283);
    expect(decodeCrc32c('')).toBeNull();
    expect(decodeCrc32c('AAAAAAAA')).toBeNull();
  });
});
