import { stringify } from 'yaml';
import { INPUT, OUTPUT } from './google.ts';

/** One word of a shell command. */
const quoted = (text: string): string =>
  /^[A-Za-z0-9_/.:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** The job of examples/digits with the sample's buckets: two workers at two learning rates. Pure. */
export function sampleJobFile(options: {
  readonly code: string;
  readonly node: string;
  readonly key: string;
}): string {
  const { code, node, key } = options;
  return stringify({
    name: 'digits-sweep',
    host: 'local',
    code: { dir: code },
    workers: ['0.05', '0.005'].map((rate) => `${quoted(node)} train.js --lr ${rate}`),
    env: { SEED: '1' },
    input: { gcs: INPUT, key },
    output: { gcs: OUTPUT, key },
  });
}
