import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { userInfo } from 'node:os';
import { expect, it } from 'vitest';
import {
  parentFromStat,
  processOwners,
  shortCommand,
  userName,
} from '../../../src/main/platform/process-owners.ts';

it('a command is its program and what it was first given, and nothing that may be secret', () => {
  expect(shortCommand(['/usr/bin/python3', '-u', '/home/a/train.py', '--token=x', ''])).toBe(
    'python3 train.py',
  );
  expect(shortCommand(['python', '-m', 'torch.distributed.run', 'train.py'])).toBe(
    'python torch.distributed.run',
  );
  expect(shortCommand(['jupyter-lab'])).toBe('jupyter-lab');
  for (const text of [
    ['python', '-c'],
    ['python', '-uc'],
    ['bash', '-lc'],
    ['node', '-e'],
    ['node', '--eval'],
  ])
    expect(shortCommand([...text, 'TOKEN=x y', 'z'])).toBe(text[0]);
  expect(shortCommand([''])).toBeNull();
});

it('names of users and parents are read from the texts of the system', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/sh\nmaria:x:1001:1001::/home/maria:/bin/bash\n';
  expect([userName(passwd, 1001), userName(passwd, 7)]).toEqual(['maria', 'user 7']);
  expect(parentFromStat('5 (a ) 9 b) S 4 5 5 0')).toBe(4);
  expect(parentFromStat('1 (init) S 0 1')).toBeNull();
});

it.runIf(process.platform === 'linux')(
  'a live process is told with its user, command and parents',
  async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    await once(child, 'spawn');
    try {
      const [owner, gone] = await processOwners([child.pid ?? 0, 4_194_303]);
      expect(owner?.command).toBe('sleep 60');
      expect(owner?.user).toBe(userInfo().username);
      expect(owner?.ancestors[0]).toBe(process.pid);
      expect(gone).toEqual({ pid: 4_194_303, user: null, command: null, ancestors: [] });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  },
);
