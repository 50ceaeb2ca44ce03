// Small pictures of digits: how they are drawn, written and read. No library, the same pictures for the same seed.

/** Pixels along each side of a picture. */
export const SIDE = 8;
/** Pixels of a picture, row after row, one byte each. */
export const PIXELS = SIDE * SIDE;
export const CLASSES = 10;

/** The digits 0 to 9, four columns by six rows. */
const GLYPHS = [
  '.##.#..##..##..##..#.##.',
  '..#..##...#...#...#..###',
  '.##.#..#...#..#..#..####',
  '###....#.##....##..#.##.',
  '..#..##.#.#.####..#...#.',
  '#####...###....##..#.##.',
  '.##.#...###.#..##..#.##.',
  '####...#..#..#...#..#...',
  '.##.#..#.##.#..##..#.##.',
  '.##.#..#.###...#..#.##..',
];
const GLYPH_WIDTH = 4;
const GLYPH_HEIGHT = 6;

/** Numbers in [0, 1) that follow from the seed alone (mulberry32). */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Draws one digit at a random place, with random ink and much noise, into `pixels` from `offset` on.
 * Shift and noise are what makes the task more than a look-up.
 */
export function drawDigit(digit, random, pixels = new Uint8Array(PIXELS), offset = 0) {
  const glyph = GLYPHS[digit];
  const left = Math.floor(random() * (SIDE - GLYPH_WIDTH + 1));
  const top = Math.floor(random() * (SIDE - GLYPH_HEIGHT + 1));
  const ink = 120 + random() * 110;
  for (let row = 0; row < SIDE; row += 1) {
    for (let column = 0; column < SIDE; column += 1) {
      const inside =
        row >= top &&
        row < top + GLYPH_HEIGHT &&
        column >= left &&
        column < left + GLYPH_WIDTH &&
        glyph[(row - top) * GLYPH_WIDTH + column - left] === '#';
      const value = (inside ? ink : 20) + (random() - 0.5) * 70;
      pixels[offset + row * SIDE + column] = Math.max(0, Math.min(255, value));
    }
  }
  return pixels;
}

/** A picture as a binary portable graymap (PGM), which picture viewers open. */
export function encodePicture(pixels) {
  return Buffer.concat([Buffer.from(`P5\n${SIDE} ${SIDE}\n255\n`), pixels]);
}

/** The pixels of a picture that {@link encodePicture} wrote. */
export function decodePicture(bytes) {
  const header = `P5\n${SIDE} ${SIDE}\n255\n`;
  if (
    bytes.length !== header.length + PIXELS ||
    bytes.toString('latin1', 0, header.length) !== header
  )
    throw new Error(`This is not a picture of ${SIDE} by ${SIDE} pixels.`);
  return bytes.subarray(header.length);
}
