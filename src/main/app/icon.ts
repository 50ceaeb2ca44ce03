/**
 * Trainyard's icon, drawn by this code at whatever size is asked for: two tracks that leave the line and come together again, on a rounded
 * square. Pure.
 */

interface Point {
  readonly x: number;
  readonly y: number;
}
type Colour = readonly [red: number, green: number, blue: number];

const GROUND: Colour = [0x1c, 0x5d, 0xab];
const RAIL: Colour = [0xff, 0xff, 0xff];

/** Everything is drawn in a square of 64. */
const UNIT = 64;
const CORNER = 14;
const WIDTH = 6.5;
/** Samples along each side of a pixel. */
const FINE = 4;

const LINES: readonly (readonly Point[])[] = [
  // The main line, from the bottom to the top.
  [
    { x: 22, y: 56 },
    { x: 22, y: 8 },
  ],
  // The siding: away from it below, back to it above.
  [
    { x: 22, y: 50 },
    { x: 44, y: 38 },
    { x: 44, y: 26 },
    { x: 22, y: 14 },
  ],
];

function distanceToLine(point: Point, a: Point, b: Point): number {
  const along = { x: b.x - a.x, y: b.y - a.y };
  const length = along.x ** 2 + along.y ** 2;
  const part = ((point.x - a.x) * along.x + (point.y - a.y) * along.y) / length;
  const kept = Math.min(1, Math.max(0, part));
  return Math.hypot(point.x - a.x - kept * along.x, point.y - a.y - kept * along.y);
}

function isRail(point: Point): boolean {
  return LINES.some((line) =>
    line.some((from, index) => {
      const to = line[index + 1];
      return to !== undefined && distanceToLine(point, from, to) <= WIDTH / 2;
    }),
  );
}

function isGround(point: Point): boolean {
  const beyond = (value: number) => Math.max(CORNER - value, value - (UNIT - CORNER), 0);
  return Math.hypot(beyond(point.x), beyond(point.y)) <= CORNER;
}

/** The icon's pixels, row by row, four bytes each: red, green, blue, alpha (not multiplied into the colours). */
export function drawIcon(size: number): Uint8Array {
  const pixels = new Uint8Array(size * size * 4);
  const step = UNIT / size / FINE;
  for (let row = 0; row < size; row += 1)
    for (let column = 0; column < size; column += 1) {
      let ground = 0;
      let rail = 0;
      for (let fine = 0; fine < FINE * FINE; fine += 1) {
        const point = {
          x: (column * FINE + (fine % FINE) + 0.5) * step,
          y: (row * FINE + Math.floor(fine / FINE) + 0.5) * step,
        };
        if (!isGround(point)) continue;
        ground += 1;
        if (isRail(point)) rail += 1;
      }
      if (ground === 0) continue;
      const share = rail / ground;
      const colour = GROUND.map((value, index) =>
        Math.round(value + share * ((RAIL[index] ?? 0) - value)),
      );
      pixels.set([...colour, Math.round((255 * ground) / FINE ** 2)], (row * size + column) * 4);
    }
  return pixels;
}
