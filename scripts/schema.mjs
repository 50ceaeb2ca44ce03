// `npm run schema`: writes docs/job-file.schema.json, the JSON Schema of the job file for editors, from src/shared/job-spec.ts.
// `--check` writes nothing and fails when the file is not as it would be written.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { z } from 'zod';
import { jobSpecSchema } from '../src/shared/job-spec.ts';
import { root } from './lib/root.mjs';

const file = join(root, 'docs/job-file.schema.json');
// Draft 7 is what editors' YAML servers know best; `input`: a job file as a user writes it, defaults left out.
const schema = z.toJSONSchema(jobSpecSchema, { target: 'draft-7', io: 'input' });
// The reader of job files takes `none` and nothing for a field left out.
for (const field of ['input', 'output']) {
  const { description, ...given } = schema.properties[field];
  schema.properties[field] = {
    description,
    anyOf: [...(given.anyOf ?? [given]), { const: 'none' }, { type: 'null' }],
  };
}
const text = await format(JSON.stringify(schema), {
  ...(await resolveConfig(file)),
  filepath: file,
});

if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    process.stderr.write('docs/job-file.schema.json is stale: run npm run schema.\n');
    process.exit(1);
  }
} else writeFileSync(file, text);
