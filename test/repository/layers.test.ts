import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';
import tseslint from 'typescript-eslint';

/**
 * The import table of docs/architecture.md, held by lint: for each folder a file that breaks it, and one that does not.
 * The compiler holds the same table by the references of each folder's tsconfig.json.
 */
const eslint = new ESLint({ overrideConfig: [tseslint.configs.disableTypeChecked] });

async function refusals(filePath: string, specifier: string): Promise<readonly string[]> {
  const [result] = await eslint.lintText(`import '${specifier}';\n`, { filePath });
  return (result?.messages ?? []).map((message) => message.ruleId ?? message.message);
}

const RULE = '@typescript-eslint/no-restricted-imports';

const broken: readonly (readonly [file: string, specifier: string])[] = [
  ['src/shared/x.ts', '../google/endpoints.ts'],
  ['src/shared/x.ts', 'node:fs'],
  ['src/shared/x.ts', 'electron'],
  ['src/google/x.ts', '../transfer/download.ts'],
  ['src/google/x.ts', 'electron'],
  ['src/transfer/x.ts', '../agent/main.ts'],
  ['src/transfer/x.ts', '@google-cloud/storage'],
  ['src/agent/x.ts', '../main/services.ts'],
  ['src/agent/x.ts', 'google-auth-library'],
  ['src/main/index.ts', '../transfer/download.ts'],
  ['src/main/jobs/x.ts', '../../emulator/main.ts'],
  ['src/main/jobs/x.ts', 'electron'],
  ['src/main/keys/x.ts', '../ipc/door.ts'],
  ['src/main/sample/x.ts', '../../transfer/upload.ts'],
  ['src/main/keys/x.ts', '@google-cloud/storage'],
  ['src/main/ipc/x.ts', '@google-cloud/storage'],
  ['src/main/preload/x.ts', 'node:fs'],
  ['src/renderer/x.ts', '../main/services.ts'],
  ['src/renderer/x.ts', 'node:path'],
  ['src/renderer/x.ts', 'electron'],
  ['src/cli/x.ts', '../agent/main.ts'],
  ['src/cli/x.ts', '../emulator/main.ts'],
  ['src/cli/x.ts', '../main/index.ts'],
  ['src/cli/x.ts', 'electron'],
  ['src/cli/commands/x.ts', '../../agent/main.ts'],
  ['src/cli/commands/x.ts', '../../main/ipc/door.ts'],
  ['src/agent/stages/x.ts', '../../main/services.ts'],
  ['src/emulator/x.ts', '../google/endpoints.ts'],
  ['src/emulator/x.ts', '@google-cloud/storage'],
];

const allowed: readonly (readonly [file: string, specifier: string])[] = [
  ['src/shared/x.ts', 'zod'],
  ['src/google/x.ts', '../shared/problem.ts'],
  ['src/google/x.ts', '@google-cloud/storage'],
  ['src/transfer/x.ts', '../google/endpoints.ts'],
  ['src/agent/x.ts', '../transfer/download.ts'],
  ['src/main/index.ts', 'electron'],
  ['src/main/index.ts', './app/window.ts'],
  ['src/renderer/x.ts', '../app/application.tsx'],
  ['src/main/jobs/x.ts', '../store/open.ts'],
  ['src/main/jobs/x.ts', './service.ts'],
  ['src/main/jobs/x.ts', '../../google/endpoints.ts'],
  ['src/cli/x.ts', '../main/services.ts'],
  ['src/cli/x.ts', '../transfer/download.ts'],
  ['src/renderer/x.ts', '../shared/problem.ts'],
  ['src/emulator/x.ts', '../shared/problem.ts'],
];

describe('folders', () => {
  it.each([
    ['await mkdir(at, { recursive: true });', true],
    ['mkdirSync(at, { mode: 0o700, recursive: true });', true],
    ['await mkdir(at, { mode: 0o700 });', false],
    ['await rm(at, { recursive: true });', false],
  ])('%s is refused: %s', async (line, refused) => {
    const [result] = await eslint.lintText(`${line}\n`, { filePath: 'src/agent/x.ts' });
    const rules = (result?.messages ?? []).map(({ ruleId }) => ruleId);
    expect(rules.includes('no-restricted-syntax')).toBe(refused);
  });
});

describe('the ways between the window and the main process', () => {
  const rules = async (filePath: string, text: string): Promise<readonly (string | null)[]> => {
    const [result] = await eslint.lintText(`${text}\n`, { filePath });
    return (result?.messages ?? []).map(({ ruleId }) => ruleId);
  };
  const take = (name: string): string => `import { ${name} } from 'electron';\nvoid ${name};`;
  const SENDS = [
    'window.webContents.send("x");',
    'event.sender.send("x");',
    'frame.postMessage("x");',
    'contents.sendToFrame(1, "x");',
  ];

  it.each([
    ['src/main/ipc/handlers.ts', 'ipcMain'],
    ['src/main/app/window.ts', 'ipcMain'],
    ['src/main/index.ts', 'ipcMain'],
    ['src/main/preload/index.ts', 'ipcMain'],
    ['src/main/ipc/door.ts', 'ipcRenderer'],
    ['src/main/app/window.ts', 'contextBridge'],
    ['src/main/preload/more.ts', 'ipcRenderer'],
    ['src/main/preload/more.ts', 'contextBridge'],
  ])('%s may not take %s', async (file, name) => {
    expect(await rules(file, take(name))).toContain(RULE);
  });

  it('nor the whole of electron, which has them all', async () => {
    const whole = "import * as electron from 'electron';\nvoid electron;";
    expect(await rules('src/main/app/window.ts', whole)).toContain(RULE);
  });

  it.each([
    ['src/main/ipc/door.ts', 'ipcMain'],
    ['src/main/preload/index.ts', 'ipcRenderer'],
    ['src/main/preload/index.ts', 'contextBridge'],
    ['src/main/app/window.ts', 'BrowserWindow'],
  ])('%s may take %s', async (file, name) => {
    expect(await rules(file, take(name))).not.toContain(RULE);
  });

  it.each(SENDS)('%s stands in the door alone', async (line) => {
    for (const file of ['src/main/app/window.ts', 'src/main/ipc/handlers.ts', 'src/main/index.ts'])
      expect(await rules(file, line), file).toContain('no-restricted-syntax');
    expect(await rules('src/main/ipc/door.ts', line)).not.toContain('no-restricted-syntax');
  });
});

describe('what chance decides in the tests', () => {
  it.each([
    ["import fc from 'fast-check';\nvoid fc;", '@typescript-eslint/no-restricted-imports'],
    [
      "import { randomBytes } from 'node:crypto';\nvoid randomBytes;",
      '@typescript-eslint/no-restricted-imports',
    ],
    ['void Math.random();', 'no-restricted-properties'],
  ])('%j is refused: its seed would not be printed', async (text, rule) => {
    const [result] = await eslint.lintText(`${text}\n`, { filePath: 'test/agent/x.test.ts' });
    expect((result?.messages ?? []).map(({ ruleId }) => ruleId)).toContain(rule);
  });
});

describe('the import table', () => {
  it.each(broken)('%s may not import %s', async (file, specifier) => {
    expect(await refusals(file, specifier)).toContain(RULE);
  });

  it.each(allowed)('%s may import %s', async (file, specifier) => {
    expect(await refusals(file, specifier)).not.toContain(RULE);
  });
});

describe('a bare fetch, which knows no proxy', () => {
  const RESTRICTED = 'no-restricted-globals';
  const rules = async (filePath: string): Promise<readonly (string | null)[]> => {
    const [result] = await eslint.lintText(`void fetch('https://example.org');\n`, { filePath });
    return (result?.messages ?? []).map(({ ruleId }) => ruleId);
  };
  it.each(['src/google/x.ts', 'src/google/grant/x.ts', 'src/transfer/x.ts', 'src/agent/x.ts'])(
    'is refused in %s',
    async (file) => expect(await rules(file)).toContain(RESTRICTED),
  );
  it('stands where it is chosen', async () => {
    expect(await rules('src/google/proxy.ts')).not.toContain(RESTRICTED);
  });
});
