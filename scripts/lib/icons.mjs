// The icons of the packages and the window, as PNG files, from the one drawing in src/main/app/icon.ts.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { importSource } from './import-source.mjs';
import { root } from './root.mjs';

const SIZES = [16, 24, 32, 48, 64, 128, 256, 512];
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function part(type, data) {
  const bytes = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(bytes));
  return Buffer.concat([length, bytes, sum]);
}

/** A PNG file of pixels with red, green, blue and alpha, a byte each. */
function png(pixels, size) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  // Eight bits a channel, four channels.
  head.set([8, 6], 8);
  const rows = Buffer.alloc(size * (1 + size * 4));
  for (let row = 0; row < size; row += 1)
    rows.set(pixels.subarray(row * size * 4, (row + 1) * size * 4), row * (1 + size * 4) + 1);
  const data = deflateSync(rows, { level: 9 });
  return Buffer.concat([
    SIGNATURE,
    part('IHDR', head),
    part('IDAT', data),
    part('IEND', Buffer.alloc(0)),
  ]);
}

/** Writes `16x16.png` to `512x512.png`. */
export async function buildIcons(folder) {
  const { drawIcon } = await importSource(join(root, 'src/main/app/icon.ts'));
  mkdirSync(folder, { recursive: true });
  for (const size of SIZES)
    writeFileSync(join(folder, `${size}x${size}.png`), png(drawIcon(size), size));
}
