// node train.js [--lr 0.02] [--epochs 12] [--hidden 48] [--seed 1] [--shuffle-labels] [--out FOLDER]
//
// Learns to read digits. Reads the data set of make-data.js from TRAINYARD_DATA_PATH and writes model.json and
// metrics.json to TRAINYARD_OUTPUT_PATH (below --out, when given). Keeps a checkpoint after every epoch in
// TRAINYARD_CHECKPOINT_PATH and goes on from it when it is started again. With --shuffle-labels the labels of the
// training samples are mixed up first: what is learned then says nothing, and accuracy must fall to chance.
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CLASSES, PIXELS, decodePicture, randomNumbers } from './digits.js';
import { createNetwork, evaluate, trainEpoch } from './network.js';

const { values } = parseArgs({
  options: {
    lr: { type: 'string', default: '0.02' },
    epochs: { type: 'string', default: '12' },
    hidden: { type: 'string', default: '48' },
    seed: { type: 'string', default: process.env.SEED ?? '1' },
    'shuffle-labels': { type: 'boolean', default: false },
    out: { type: 'string', default: '.' },
  },
});
const settings = {
  learningRate: Number(values.lr),
  epochs: Number(values.epochs),
  hidden: Number(values.hidden),
  seed: Number(values.seed),
  labels: values['shuffle-labels'] ? 'shuffled' : 'true',
};

const environment = (name) => {
  const value = process.env[name];
  if (value === undefined || value === '') {
    console.error(`${name} is not set: run this in Trainyard, or set it to a folder.`);
    process.exit(2);
  }
  return value;
};
const dataFolder = environment('TRAINYARD_DATA_PATH');
const outputFolder = path.join(environment('TRAINYARD_OUTPUT_PATH'), values.out);
const checkpointFolder = process.env.TRAINYARD_CHECKPOINT_PATH ?? outputFolder;
const worker = process.env.TRAINYARD_WORKER ?? '0';

/** Mean and standard deviation of each pixel over the pictures without labels, read as a stream. */
async function pixelStatistics(file) {
  const sum = new Float64Array(PIXELS);
  const squares = new Float64Array(PIXELS);
  let bytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    for (let index = 0; index < chunk.length; index += 1) {
      const pixel = (bytes + index) % PIXELS;
      sum[pixel] += chunk[index];
      squares[pixel] += chunk[index] * chunk[index];
    }
    bytes += chunk.length;
  }
  const count = bytes / PIXELS;
  const mean = sum.map((value) => value / count);
  const deviation = squares.map((value, pixel) =>
    Math.sqrt(Math.max(value / count - mean[pixel] ** 2, 1)),
  );
  return { count, mean, deviation };
}

/** All samples of one part: pixels scaled by the statistics, and labels. */
async function readSamples(part, statistics) {
  const inputs = [];
  const labels = [];
  for (let digit = 0; digit < CLASSES; digit += 1) {
    const folder = path.join(dataFolder, part, String(digit));
    for (const name of (await readdir(folder)).sort()) {
      const pixels = decodePicture(await readFile(path.join(folder, name)));
      inputs.push(
        Float64Array.from(
          pixels,
          (value, pixel) => (value - statistics.mean[pixel]) / statistics.deviation[pixel],
        ),
      );
      labels.push(digit);
    }
  }
  return { inputs, labels };
}

/** Mixes a list up in place (Fisher and Yates). */
function shuffle(list, random) {
  for (let last = list.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [list[last], list[other]] = [list[other], list[last]];
  }
  return list;
}

/** Writes a file whole or not at all. */
async function writeWhole(file, value) {
  await writeFile(`${file}.new`, `${JSON.stringify(value)}\n`);
  await rename(`${file}.new`, file);
}

const networkToJson = (network) => ({
  hidden: network.hidden,
  weights1: [...network.weights1],
  bias1: [...network.bias1],
  weights2: [...network.weights2],
  bias2: [...network.bias2],
});
const networkFromJson = (json) => ({
  hidden: json.hidden,
  weights1: Float64Array.from(json.weights1),
  bias1: Float64Array.from(json.bias1),
  weights2: Float64Array.from(json.weights2),
  bias2: Float64Array.from(json.bias2),
});

const statistics = await pixelStatistics(path.join(dataFolder, 'unlabelled.bin'));
console.log(`Pixel statistics of ${statistics.count} pictures without labels.`);
const train = await readSamples('train', statistics);
const heldOut = await readSamples('held-out', statistics);
console.log(`${train.inputs.length} samples to train on, ${heldOut.inputs.length} held out.`);
if (settings.labels === 'shuffled') shuffle(train.labels, randomNumbers(settings.seed + 1000));

await mkdir(outputFolder, { recursive: true });
await mkdir(checkpointFolder, { recursive: true });
const checkpoint = path.join(checkpointFolder, `digits-${worker}-${settings.labels}.json`);

let network = createNetwork(settings.hidden, settings.seed);
let history = [];
if (existsSync(checkpoint)) {
  const kept = JSON.parse(await readFile(checkpoint, 'utf8'));
  if (JSON.stringify(kept.settings) === JSON.stringify(settings)) {
    network = networkFromJson(kept.network);
    history = kept.history;
    console.log(`Goes on after epoch ${history.length}.`);
  }
}

for (let epoch = history.length; epoch < settings.epochs; epoch += 1) {
  const order = shuffle([...train.inputs.keys()], randomNumbers(settings.seed * 7919 + epoch));
  const rate = settings.learningRate / (1 + epoch / 4);
  const loss = trainEpoch(network, train.inputs, train.labels, order, rate, (part) => {
    const width = Math.round(part * 30);
    process.stdout.write(
      `\repoch ${epoch + 1}/${settings.epochs} [${'#'.repeat(width)}${'-'.repeat(30 - width)}]`,
    );
  });
  const held = evaluate(network, heldOut.inputs, heldOut.labels);
  history.push({ epoch: epoch + 1, loss, heldOutLoss: held.loss, accuracy: held.accuracy });
  process.stdout.write(
    ` loss ${loss.toFixed(4)}, held out: loss ${held.loss.toFixed(4)}, accuracy ${held.accuracy.toFixed(3)}\n`,
  );
  await writeWhole(checkpoint, { settings, history, network: networkToJson(network) });
}

const result = evaluate(network, heldOut.inputs, heldOut.labels);
await writeWhole(path.join(outputFolder, 'model.json'), {
  settings,
  pixelMean: [...statistics.mean],
  pixelDeviation: [...statistics.deviation],
  network: networkToJson(network),
});
await writeWhole(path.join(outputFolder, 'metrics.json'), {
  ...settings,
  samples: train.inputs.length,
  heldOut: heldOut.inputs.length,
  accuracy: result.accuracy,
  loss: result.loss,
  history,
});
console.log(
  `Accuracy ${result.accuracy.toFixed(4)} on ${heldOut.inputs.length} held-out samples (${settings.labels} labels).`,
);
