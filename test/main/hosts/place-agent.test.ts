import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { cleanAgents } from '../../../src/main/hosts/local/clean-agents.ts';
import { agentEnvironment } from '../../../src/main/hosts/local/environment.ts';
import { noteUse, placeAgent } from '../../../src/main/hosts/local/place-agent.ts';
import { AS_NOBODY, cannotDropPrivileges, NOBODY } from '../../support/without-privileges.ts';
import { writeManifest } from '../agent-folder.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';

function source(
  version = '1.0.0',
  text = 'agent',
): { agents: string; agentFolder: string; nodeRuntime: string } {
  const folder = temporaryFolder();
  const agentFolder = join(folder, 'built');
  mkdirSync(agentFolder);
  writeFileSync(join(agentFolder, 'agent.mjs'), text);
  writeFileSync(join(agentFolder, 'crc32c.node'), 'native');
  writeManifest(agentFolder, version);
  const nodeRuntime = join(folder, 'node');
  writeFileSync(nodeRuntime, 'runtime', { mode: 0o755 });
  mkdirSync(join(folder, 'agents'));
  return { agents: join(folder, 'agents'), agentFolder, nodeRuntime };
}

test('the agent is placed under its version and outlives its source', async () => {
  const { agents, ...from } = source();
  const placed = valueOf(await placeAgent(agents, from));
  expect(placed).toMatchObject({ version: '1.0.0', folder: join(agents, '1.0.0'), fresh: true });
  rmSync(from.agentFolder, { recursive: true });
  rmSync(from.nodeRuntime);
  expect(readFileSync(placed.program, 'utf8')).toBe('agent');
  expect(readFileSync(placed.node, 'utf8')).toBe('runtime');
  expect(statSync(placed.node).mode & 0o111).not.toBe(0);
  expect(readdirSync(agents)).toEqual(['1.0.0']);
});

test('a build that is overwritten in place changes nothing for a placed agent', async () => {
  const { agents, ...from } = source();
  const placed = valueOf(await placeAgent(agents, from));
  writeFileSync(join(from.agentFolder, 'agent.mjs'), 'other');
  expect(readFileSync(placed.program, 'utf8')).toBe('agent');
});

test('what is placed and whole is left alone; what was changed is replaced', async () => {
  const { agents, ...from } = source();
  const placed = valueOf(await placeAgent(agents, from));
  const inode = statSync(placed.program).ino;
  expect(valueOf(await placeAgent(agents, from)).fresh).toBe(false);
  expect(statSync(placed.program).ino).toBe(inode);
  writeFileSync(placed.program, 'broken');
  expect(valueOf(await placeAgent(agents, from)).fresh).toBe(true);
  expect(readFileSync(placed.program, 'utf8')).toBe('agent');
  rmSync(placed.node);
  valueOf(await placeAgent(agents, from));
  expect(readFileSync(placed.node, 'utf8')).toBe('runtime');
  expect(readdirSync(agents)).toEqual(['1.0.0']);
});

test('several at once place one', async () => {
  const { agents, ...from } = source();
  const all = await Promise.all(Array.from({ length: 6 }, () => placeAgent(agents, from)));
  for (const one of all) expect(readFileSync(valueOf(one).program, 'utf8')).toBe('agent');
  expect(readdirSync(agents)).toEqual(['1.0.0']);
});

test('a source that does not fit its manifest, or is not there, is refused and nothing stays', async () => {
  const { agents, ...from } = source();
  writeFileSync(join(from.agentFolder, 'crc32c.node'), 'tampered');
  expect(problemOf(await placeAgent(agents, from)).code).toBe('host.agent-not-placed');
  expect(problemOf(await placeAgent(agents, { ...from, agentFolder: '/no/such' })).code).toBe(
    'host.agent-missing',
  );
  expect(problemOf(await placeAgent(agents, { ...from, nodeRuntime: null })).code).toBe(
    'host.agent-missing',
  );
  expect(readdirSync(agents)).toEqual([]);
});

test('old agents go, but for the last two and those that a live run uses', async () => {
  const { agents, ...from } = source('9.0.0');
  const versions = ['1.0.0', '2.0.0', '3.0.0', '4.0.0', '5.0.0'];
  for (const [number, version] of versions.entries()) {
    writeManifest(from.agentFolder, version);
    const placed = valueOf(await placeAgent(agents, from));
    await noteUse(placed, `run-of-${version}`);
    utimesSync(placed.folder, number + 1, number + 1);
  }
  mkdirSync(join(agents, 'not-ours'));
  utimesSync(join(agents, 'not-ours'), 0, 0);
  await cleanAgents(agents, '5.0.0', async (id) => id === 'run-of-1.0.0');
  expect(readdirSync(agents).sort()).toEqual(['1.0.0', '3.0.0', '4.0.0', '5.0.0', 'not-ours']);
});

test('an agent inherits nothing of Trainyard’s own, and nothing that bends Node.js', () => {
  expect(
    agentEnvironment({
      PATH: '/bin',
      HOME: '/h',
      TRAINYARD_PASSPHRASE_FILE: '/p',
      TRAINYARD_HOME: '/t',
      NODE_OPTIONS: '--inspect',
      ELECTRON_RUN_AS_NODE: '1',
      CUDA_HOME: '/c',
    }),
  ).toEqual({ PATH: '/bin', HOME: '/h', CUDA_HOME: '/c' });
});

test('a hard link of the runtime serves where the file system has no reflinks', async () => {
  const { agents, ...from } = source();
  linkSync(from.nodeRuntime, `${from.nodeRuntime}-second`);
  const placed = valueOf(await placeAgent(agents, from));
  expect(statSync(placed.node).size).toBe(7);
});

test('the runtime is a copy and no link: its original keeps its mode, and what is done to either is not done to the other', async () => {
  const { agents, ...from } = source();
  chmodSync(from.nodeRuntime, 0o755);
  const { node } = valueOf(await placeAgent(agents, from));
  expect(statSync(node).ino).not.toBe(statSync(from.nodeRuntime).ino);
  expect([statSync(node).nlink, statSync(from.nodeRuntime).nlink]).toEqual([1, 1]);
  expect(statSync(from.nodeRuntime).mode & 0o777).toBe(0o755);
  writeFileSync(from.nodeRuntime, 'changed');
  expect(readFileSync(node, 'utf8')).toBe('runtime');
});

test.each([
  ['written to', (node: string) => appendFileSync(node, 'more')],
  [
    'replaced by one of the same size and time',
    (node: string) => {
      const { atime, mtime } = statSync(node);
      rmSync(node);
      writeFileSync(node, 'RUNTIME', { mode: 0o755 });
      utimesSync(node, atime, mtime);
    },
  ],
  ['given another mode', (node: string) => chmodSync(node, 0o700)],
  [
    'replaced by a link',
    (node: string) => {
      renameSync(node, `${node}.real`);
      symlinkSync(`${node}.real`, node);
    },
  ],
  ['placed by an earlier version', (node: string) => rmSync(join(dirname(node), 'runtime.json'))],
])('a runtime that was %s is placed anew', async (_, change) => {
  const { agents, ...from } = source();
  const placed = valueOf(await placeAgent(agents, from));
  expect(valueOf(await placeAgent(agents, from)).fresh).toBe(false);
  change(placed.node);
  expect(valueOf(await placeAgent(agents, from)).fresh).toBe(true);
  expect(readFileSync(placed.node, 'utf8')).toBe('runtime');
  expect(valueOf(await placeAgent(agents, from)).fresh).toBe(false);
});

/** Places the runtime that runs it, starts it, and tells what it may read of its own process and what of that one. */
const LOOK = (folder: string): string => `
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isRuntimeUntouched, placeRuntime } from ${JSON.stringify(new URL('../../../src/main/hosts/local/runtime.ts', import.meta.url).href)};
const folder = ${JSON.stringify(folder)};
const placed = await placeRuntime(process.execPath, folder);
const node = join(folder, 'node');
const tried = (body) => { try { body(); return 'may'; } catch (error) { return error.code; } };
const look = (pid) => ['mem', 'environ'].map((name) => tried(() => closeSync(openSync('/proc/' + pid + '/' + name, 'r'))));
const start = (program) => new Promise((resolve) => {
  const child = spawn(program, ['-e', 'console.log(process.execPath); setInterval(() => {}, 1000)'], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.once('data', (said) => { resolve([String(said).trim(), ...look(child.pid)]); child.kill('SIGKILL'); });
});
console.log(JSON.stringify({
  placed,
  untouched: await isRuntimeUntouched(folder),
  mode: (statSync(node).mode & 0o777).toString(8),
  read: tried(() => readFileSync(node)),
  ours: await start(node),
  other: await start(process.execPath),
}));
`;

test.skipIf(process.platform !== 'linux' || cannotDropPrivileges() !== null)(
  'a user who is not root may run the runtime and not read it, so that other programs of his do not see into the memory of agents',
  () => {
    const folder = temporaryFolder();
    for (let above = folder; above !== tmpdir(); above = dirname(above)) chmodSync(above, 0o755);
    chownSync(folder, NOBODY, NOBODY);
    const said = execFileSync(
      'setpriv',
      [...AS_NOBODY, process.execPath, '--input-type=module', '-e', LOOK(folder)],
      { cwd: '/', encoding: 'utf8' },
    );
    expect(JSON.parse(said)).toEqual({
      placed: true,
      untouched: true,
      mode: '111',
      read: 'EACCES',
      ours: [join(folder, 'node'), 'EACCES', 'EACCES'],
      // Without it, anybody of the same user may: that is what this is about.
      other: [process.execPath, 'may', 'may'],
    });
  },
  60_000,
);
