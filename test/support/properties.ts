import fc from 'fast-check';
import { testSeed } from './random.ts';

/** fast-check, whose examples are those of the seed of `random.ts`. */
fc.configureGlobal({ seed: testSeed() });

export { fc };
