import { join, resolve } from 'node:path';

/** The checkout. */
export const ROOT = resolve(import.meta.dirname, '..', '..');

/**
 * The programs under test as they are built, which is what users run; they start several times as fast as their sources. Whoever runs tests
 * builds them first: test/support/set-up.ts and scripts/e2e.mjs see to it. test/built/sources.test.ts shows that the sources do the same.
 */
export const COMMAND_LINE = join(ROOT, 'out', 'cli', 'trainyard.mjs');
export const EMULATOR = join(ROOT, 'out', 'emulator', 'emulator.mjs');
/** The folder that hosts get: {@link AGENT}, what it loads, its manifest. */
export const AGENT_FOLDER = join(ROOT, 'out', 'agent');
/** Or the one that `TRAINYARD_TEST_AGENT` names. */
export const AGENT = process.env['TRAINYARD_TEST_AGENT'] ?? join(AGENT_FOLDER, 'agent.mjs');
