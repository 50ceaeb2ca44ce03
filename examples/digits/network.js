// A network of one hidden layer, trained by stochastic gradient descent. No library.
import { CLASSES, PIXELS, randomNumbers } from './digits.js';

/** Fresh weights: uniform, scaled by the number of inputs (He). */
export function createNetwork(hidden, seed) {
  const random = randomNumbers(seed);
  const layer = (inputs, outputs) => {
    const limit = Math.sqrt(6 / inputs);
    return Float64Array.from({ length: inputs * outputs }, () => (random() * 2 - 1) * limit);
  };
  return {
    hidden,
    weights1: layer(PIXELS, hidden),
    bias1: new Float64Array(hidden),
    weights2: layer(hidden, CLASSES),
    bias2: new Float64Array(CLASSES),
  };
}

/** Probabilities of the ten digits; leaves the hidden layer's activations in `activations`. */
export function predict(network, input, activations, probabilities) {
  const { hidden, weights1, bias1, weights2, bias2 } = network;
  for (let unit = 0; unit < hidden; unit += 1) {
    let sum = bias1[unit];
    const row = unit * PIXELS;
    for (let pixel = 0; pixel < PIXELS; pixel += 1) sum += weights1[row + pixel] * input[pixel];
    activations[unit] = sum > 0 ? sum : 0;
  }
  let largest = -Infinity;
  for (let digit = 0; digit < CLASSES; digit += 1) {
    let sum = bias2[digit];
    const row = digit * hidden;
    for (let unit = 0; unit < hidden; unit += 1) sum += weights2[row + unit] * activations[unit];
    probabilities[digit] = sum;
    if (sum > largest) largest = sum;
  }
  let total = 0;
  for (let digit = 0; digit < CLASSES; digit += 1) {
    probabilities[digit] = Math.exp(probabilities[digit] - largest);
    total += probabilities[digit];
  }
  for (let digit = 0; digit < CLASSES; digit += 1) probabilities[digit] /= total;
}

/** Trains on one sample after the other in the order given; returns the mean cross-entropy. */
export function trainEpoch(network, inputs, labels, order, learningRate, onProgress) {
  const { hidden, weights1, bias1, weights2, bias2 } = network;
  const activations = new Float64Array(hidden);
  const probabilities = new Float64Array(CLASSES);
  const back = new Float64Array(hidden);
  let loss = 0;
  for (let step = 0; step < order.length; step += 1) {
    const input = inputs[order[step]];
    const label = labels[order[step]];
    predict(network, input, activations, probabilities);
    loss -= Math.log(Math.max(probabilities[label], 1e-12));
    back.fill(0);
    for (let digit = 0; digit < CLASSES; digit += 1) {
      const error = probabilities[digit] - (digit === label ? 1 : 0);
      const row = digit * hidden;
      for (let unit = 0; unit < hidden; unit += 1) {
        back[unit] += error * weights2[row + unit];
        weights2[row + unit] -= learningRate * error * activations[unit];
      }
      bias2[digit] -= learningRate * error;
    }
    for (let unit = 0; unit < hidden; unit += 1) {
      if (activations[unit] === 0) continue;
      const change = learningRate * back[unit];
      const row = unit * PIXELS;
      for (let pixel = 0; pixel < PIXELS; pixel += 1)
        weights1[row + pixel] -= change * input[pixel];
      bias1[unit] -= change;
    }
    if (step % 256 === 255) onProgress((step + 1) / order.length);
  }
  onProgress(1);
  return loss / order.length;
}

/** Accuracy and mean cross-entropy on samples that were not trained on. */
export function evaluate(network, inputs, labels) {
  const activations = new Float64Array(network.hidden);
  const probabilities = new Float64Array(CLASSES);
  let right = 0;
  let loss = 0;
  for (let index = 0; index < inputs.length; index += 1) {
    predict(network, inputs[index], activations, probabilities);
    let best = 0;
    for (let digit = 1; digit < CLASSES; digit += 1)
      if (probabilities[digit] > probabilities[best]) best = digit;
    if (best === labels[index]) right += 1;
    loss -= Math.log(Math.max(probabilities[labels[index]], 1e-12));
  }
  return { accuracy: right / inputs.length, loss: loss / inputs.length };
}
