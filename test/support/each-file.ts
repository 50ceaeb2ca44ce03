// Runs in each test file: files of a worker share its process, so what one leaves behind must not meet the next.
import { afterAll, afterEach } from 'vitest';
import { cleanUpFile, cleanUpTest } from './clean-up.ts';

const environment = { ...process.env };

afterEach(cleanUpTest);
afterAll(async () => {
  await cleanUpFile();
  for (const name of Object.keys(process.env))
    if (!(name in environment)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, environment);
});
