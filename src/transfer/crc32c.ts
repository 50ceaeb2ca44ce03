/** Checksums as Cloud Storage writes them, and the checksum of parts put together. */

/** Base64 of the four bytes, most significant first: the form of an object's `crc32c`. */
export function encodeCrc32c(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes.toString('base64');
}

/** The number in an object's `crc32c`, or null where the text is none. */
export function decodeCrc32c(text: string): number | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === 4 ? bytes.readUInt32BE() : null;
}

/** A 32 by 32 matrix over GF(2): one column, as a number, per bit of the vector. */
type Matrix = readonly number[];

function times(matrix: Matrix, vector: number): number {
  let sum = 0;
  for (let bit = 0, rest = vector >>> 0; rest !== 0; bit++, rest >>>= 1)
    if (rest & 1) sum ^= matrix[bit] ?? 0;
  return sum >>> 0;
}

const square = (matrix: Matrix): Matrix => matrix.map((column) => times(matrix, column));

/** What one zero bit does to the register. */
const ONE_ZERO_BIT: Matrix = Array.from({ length: 32 }, (_, bit) =>
  bit === 0 ? 0x82f63b78 : 2 ** (bit - 1),
);

/** `ZERO_BYTES[n]`: what 2^n zero bytes do to the register. Up to 2^53 bytes, all that a number can count. */
const ZERO_BYTES: readonly Matrix[] = (() => {
  const powers: Matrix[] = [square(square(square(ONE_ZERO_BIT)))];
  for (let n = 1; n < 53; n++) powers.push(square(powers[n - 1] ?? []));
  return powers;
})();

/** The checksum of A followed by B, from the checksums of both and B's length in bytes. */
export function crc32cCombine(first: number, second: number, secondLength: number): number {
  let register = first >>> 0;
  for (let n = 0, rest = secondLength; rest > 0; n++, rest = Math.floor(rest / 2))
    if (rest % 2 === 1) register = times(ZERO_BYTES[n] ?? [], register);
  return (register ^ second) >>> 0;
}
