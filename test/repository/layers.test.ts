import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';
import tseslint from 'typescript-eslint';

/**
 * The import table of docs/architecture.md, held by lint: for each folder a file that breaks it, and one that does not.
 * The compiler holds the same table by the references of each folder's tsconfig.json.
 */
const eslint = new ESLint({ overrideConfig: [tseslint.configs.disableTypeChecked] });

async function refusals(filePath: string, specifier: string): Promise<readonly string[]> {
  const [result] = await eslint.lintText(
    `import * as anything from '${specifier}';\nvoid anything;\n`,
    {
      filePath,
    },
  );
  return (result?.messages ?? []).map((message) => message.ruleId ?? message.message);
}

const PATHS = 'import-x/no-restricted-paths';
const PACKAGES = '@typescript-eslint/no-restricted-imports';

const broken: readonly (readonly [file: string, specifier: string, rule: string])[] = [
  ['src/shared/x.ts', '../google/endpoints.ts', PATHS],
  ['src/shared/x.ts', 'node:fs', PACKAGES],
  ['src/shared/x.ts', 'electron', PACKAGES],
  ['src/google/x.ts', '../transfer/download.ts', PATHS],
  ['src/google/x.ts', 'electron', PACKAGES],
  ['src/transfer/x.ts', '../agent/main.ts', PATHS],
  ['src/transfer/x.ts', '@google-cloud/storage', PACKAGES],
  ['src/agent/x.ts', '../main/services.ts', PATHS],
  ['src/agent/x.ts', 'google-auth-library', PACKAGES],
  ['src/main/index.ts', '../transfer/download.ts', PATHS],
  ['src/main/jobs/x.ts', '../../emulator/main.ts', PATHS],
  ['src/main/jobs/x.ts', 'electron', PACKAGES],
  ['src/main/keys/x.ts', '../ipc/door.ts', PATHS],
  ['src/main/keys/x.ts', '@google-cloud/storage', PACKAGES],
  ['src/main/ipc/x.ts', '@google-cloud/storage', PACKAGES],
  ['src/main/preload/x.ts', 'node:fs', PACKAGES],
  ['src/renderer/x.ts', '../main/services.ts', PATHS],
  ['src/renderer/x.ts', 'node:path', PACKAGES],
  ['src/renderer/x.ts', 'electron', PACKAGES],
  ['src/cli/x.ts', '../agent/main.ts', PATHS],
  ['src/cli/x.ts', '../emulator/main.ts', PATHS],
  ['src/cli/x.ts', '../main/index.ts', PATHS],
  ['src/cli/x.ts', 'electron', PACKAGES],
  ['src/emulator/x.ts', '../google/endpoints.ts', PATHS],
  ['src/emulator/x.ts', '@google-cloud/storage', PACKAGES],
];

const allowed: readonly (readonly [file: string, specifier: string])[] = [
  ['src/shared/x.ts', 'zod'],
  ['src/google/x.ts', '../shared/problem.ts'],
  ['src/google/x.ts', '@google-cloud/storage'],
  ['src/transfer/x.ts', '../google/endpoints.ts'],
  ['src/agent/x.ts', '../transfer/download.ts'],
  ['src/main/index.ts', 'electron'],
  ['src/main/jobs/x.ts', '../../google/endpoints.ts'],
  ['src/cli/x.ts', '../main/services.ts'],
  ['src/cli/x.ts', '../transfer/download.ts'],
  ['src/renderer/x.ts', '../shared/problem.ts'],
  ['src/emulator/x.ts', '../shared/problem.ts'],
];

describe('the import table', () => {
  it.each(broken)('%s may not import %s', async (file, specifier, rule) => {
    expect(await refusals(file, specifier)).toContain(rule);
  });

  it.each(allowed)('%s may import %s', async (file, specifier) => {
    const rules = await refusals(file, specifier);
    expect(rules).not.toContain(PATHS);
    expect(rules).not.toContain(PACKAGES);
  });
});
