import { randomUUID } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const CASES = path.resolve(import.meta.dirname, '../fixtures/nvidia-smi');

/**
 * A machine for `../fixtures/fake-nvidia-smi`, after one of the cases, with UUIDs of its own: a card is one card for everybody on the machine, so
 * that tests that run at the same time would wait for each other's.
 */
export function placeMachine(folder: string, name: string): void {
  cpSync(path.join(CASES, name), folder, { recursive: true });
  const own = randomUUID().slice(0, 8);
  for (const file of readdirSync(folder)) {
    const text = readFileSync(path.join(folder, file), 'utf8');
    writeFileSync(
      path.join(folder, file),
      text.replaceAll(
        /((?:GPU|MIG)-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{4})[0-9a-f]{8}/g,
        `$1${own}`,
      ),
    );
  }
}
