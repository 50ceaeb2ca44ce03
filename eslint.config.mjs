import globals from 'globals';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';
import { windowHints } from './scripts/lint/window-hints.mjs';

/**
 * The layers of docs/architecture.md: each folder, and the folders beside it that it may import.
 * `services` stands for src/main without its Electron parts.
 */
const layers = {
  shared: [],
  google: ['shared'],
  transfer: ['shared', 'google'],
  agent: ['shared', 'google', 'transfer'],
  main: ['shared', 'google'],
  renderer: ['shared'],
  cli: ['shared', 'google', 'transfer', 'main'],
  emulator: ['shared'],
};

const servicesFolders = ['keys', 'buckets', 'hosts', 'jobs', 'store', 'platform', 'sample'];

/** An import of ours, from whatever depth, that leads into one of these folders of src. Their names stand nowhere else below src. */
const leadsInto = (folders) => `^(\\.{1,2}/)+(${folders.join('|')})(/|$)`;

/** What a folder may not import of ours. */
const bannedFolders = (folder) => {
  const allowed = layers[folder];
  const banned = Object.keys(layers).filter((name) => name !== folder && !allowed.includes(name));
  return {
    regex: leadsInto(banned),
    message: `src/${folder} may import ${allowed.length === 0 ? 'no other folder' : `only ${allowed.join(', ')}`} (docs/architecture.md).`,
  };
};

const electronParts = {
  regex: '^(\\.{1,2}/)+(main/)?(app/|ipc/|preload/|index(\\.ts)?$)',
  message: 'Services and the CLI import no Electron part of src/main (docs/architecture.md).',
};

const electron = {
  group: ['electron', 'electron/*'],
  message:
    'Only src/main/app, src/main/ipc, src/main/preload and src/main/index.ts import electron.',
};
/** Ways between the window and the main process: each stands in one file. */
const door = {
  group: ['electron'],
  importNames: ['ipcMain'],
  message: 'Only src/main/ipc/door.ts takes what the window asks.',
};
const windowSide = {
  group: ['electron'],
  importNames: ['ipcRenderer', 'contextBridge'],
  message: 'Only src/main/preload/index.ts asks for the window.',
};
const googleLibraries = {
  group: ['@google-cloud/*', 'google-auth-library', 'googleapis', 'gaxios'],
  message: "Google's libraries are used in src/google and the tests alone.",
};
const node = {
  group: [
    'node:*',
    'fs',
    'fs/*',
    'path',
    'os',
    'child_process',
    'crypto',
    'net',
    'http',
    'https',
    'stream',
    'stream/*',
    'url',
    'util',
    'worker_threads',
    'process',
  ],
  message: 'This folder runs without Node.js.',
};

const recursiveFolders = {
  selector: 'CallExpression[callee.name=/^mkdir(Sync)?$/] Property[key.name="recursive"]',
  message: 'Take makeFolders: where a folder cannot be made, `recursive` may try for ever.',
};
const tellingTheWindow = {
  selector: 'CallExpression[callee.property.name=/^(send|sendToFrame|sendSync|postMessage)$/]',
  message: 'Only src/main/ipc/door.ts tells the window something: take its push.',
};

const restrict = (files, ...patterns) => ({
  files,
  rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] },
});

export default tseslint.config(
  {
    ignores: [
      'out/**',
      'dist/**',
      'node_modules/**',
      'test-results/**',
      'playwright-report/**',
      'test/fixtures/**',
    ],
  },
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: true },
      ],
      '@typescript-eslint/require-await': 'off',
      'no-console': 'error',
      'max-lines': ['error', { max: 400, skipComments: true, skipBlankLines: true }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/renderer/**/*.{ts,tsx}'],
    extends: [reactHooks.configs.flat.recommended],
    // Nothing is compiled by the React Compiler, which this rule is for.
    rules: { 'react-hooks/incompatible-library': 'off' },
  },
  restrict(['src/shared/**'], bannedFolders('shared'), electron, googleLibraries, node),
  restrict(['src/renderer/**'], bannedFolders('renderer'), electron, googleLibraries, node),
  restrict(['src/google/**'], bannedFolders('google'), electron),
  ...['transfer', 'agent', 'emulator'].map((folder) =>
    restrict([`src/${folder}/**`], bannedFolders(folder), electron, googleLibraries),
  ),
  restrict(['src/cli/**'], bannedFolders('cli'), electronParts, electron, googleLibraries),
  restrict(
    ['src/main/{app,ipc}/**', 'src/main/index.ts'],
    bannedFolders('main'),
    googleLibraries,
    door,
    windowSide,
  ),
  restrict(['src/main/ipc/door.ts'], bannedFolders('main'), googleLibraries, windowSide),
  restrict(['src/main/preload/**'], bannedFolders('main'), googleLibraries, node, door, windowSide),
  restrict(['src/main/preload/index.ts'], bannedFolders('main'), googleLibraries, node, door),
  restrict(
    [`src/main/{${servicesFolders.join(',')}}/**`, 'src/main/services.ts'],
    bannedFolders('main'),
    electronParts,
    electron,
    googleLibraries,
  ),
  {
    // Whatever asks Google goes through the proxy of the environment; `fetchFor` alone knows Node's own `fetch`.
    files: ['src/{google,transfer,agent}/**/*.ts'],
    ignores: ['src/google/proxy.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'fetch', message: 'Take fetchFor of src/google/proxy.ts: fetch knows no proxy.' },
      ],
    },
  },
  {
    // Their problems are shown in the window.
    files: ['src/{main,google,agent,transfer}/**/*.ts'],
    plugins: { 'window-hints': windowHints },
    rules: { 'window-hints/in-the-window': 'error' },
  },
  {
    files: ['src/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', recursiveFolders] },
  },
  {
    files: ['src/main/{app,ipc}/**/*.ts', 'src/main/index.ts'],
    ignores: ['src/main/ipc/door.ts'],
    rules: { 'no-restricted-syntax': ['error', recursiveFolders, tellingTheWindow] },
  },
  {
    files: ['test/**/*.{ts,tsx}'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      'max-lines': 'off',
    },
  },
  {
    // What chance decides in a test comes from the seed that is printed.
    files: ['test/**/*.ts'],
    ignores: ['test/support/{random,properties}.ts', 'test/e2e/support/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: [
            { name: 'fast-check', message: 'Take fc of test/support/properties.ts.' },
            {
              name: 'node:crypto',
              importNames: ['randomBytes', 'randomInt', 'getRandomValues'],
              message: 'Take test/support/random.ts; for a name that nobody else has, randomUUID.',
            },
          ],
        },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Take test/support/random.ts.' },
      ],
    },
  },
  {
    files: ['**/*.{mjs,cjs,js}'],
    languageOptions: { globals: globals.node },
    extends: [tseslint.configs.base],
    rules: { eqeqeq: 'error', 'no-undef': 'error', 'no-unused-vars': 'error' },
  },
);
