// node make-data.js FOLDER [--samples 3000] [--unlabelled-mib 96] [--seed 1]
//
// Writes the data set that train.js learns from:
//   FOLDER/train/<digit>/<number>.pgm      five of six samples, with their label in the path
//   FOLDER/held-out/<digit>/<number>.pgm   the rest, never trained on
//   FOLDER/unlabelled.bin                  many more pictures without labels, 64 bytes each, one after the other
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CLASSES, PIXELS, drawDigit, encodePicture, randomNumbers } from './digits.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    samples: { type: 'string', default: '3000' },
    'unlabelled-mib': { type: 'string', default: '96' },
    seed: { type: 'string', default: '1' },
  },
});
const folder = positionals[0];
if (folder === undefined) {
  console.error(
    'Usage: node make-data.js FOLDER [--samples 3000] [--unlabelled-mib 96] [--seed 1]',
  );
  process.exit(2);
}

const random = randomNumbers(Number(values.seed));
const samples = Number(values.samples);

for (const part of ['train', 'held-out'])
  for (let digit = 0; digit < CLASSES; digit += 1)
    await mkdir(path.join(folder, part, String(digit)), { recursive: true });

for (let index = 0; index < samples; index += 1) {
  const digit = index % CLASSES;
  const part = Math.floor(index / CLASSES) % 6 === 5 ? 'held-out' : 'train';
  const name = `${String(index).padStart(5, '0')}.pgm`;
  await writeFile(
    path.join(folder, part, String(digit), name),
    encodePicture(drawDigit(digit, random)),
  );
}

const stream = createWriteStream(path.join(folder, 'unlabelled.bin'));
const mebibyte = 1 << 20;
for (let written = 0; written < Number(values['unlabelled-mib']); written += 1) {
  const block = Buffer.alloc(mebibyte);
  for (let offset = 0; offset < mebibyte; offset += PIXELS)
    drawDigit(Math.floor(random() * CLASSES), random, block, offset);
  if (!stream.write(block)) await once(stream, 'drain');
}
stream.end();
await once(stream, 'close');
