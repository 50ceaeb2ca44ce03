import { expect, test } from 'vitest';
import { gitWords, guardsFor, hasSecret, withoutSecrets } from '../../src/shared/git.ts';

test.each([
  ['https://user:secret@host.example/x.git', true],
  ['https://:secret@host.example/x.git', true],
  ['ssh://git:secret@host.example/x.git', true],
  ['HTTPS://ghp_0123456789abcdefghij@host.example/x.git', true],
  ['https://oauth2:glpat-abc@host.example/x.git', true],
  ['https://0123456789abcdef0123456789abcdef01234567@host.example/x', true],
  ['https://host.example/x.git?private_token=abc', true],
  ['https://user@host.example/x.git', false],
  ['ssh://git@host.example:22/x.git', false],
  ['git@host.example:group/x.git', false],
  ['/srv/git/a:b@c', false],
  ['https://host.example/a@b:c', false],
])('%s has a secret: %s', (address, expected) => {
  expect(hasSecret(address)).toBe(expected);
  const shown = withoutSecrets(`fatal: unable to access '${address}/': no`);
  expect(shown).not.toMatch(/secret|ghp_|glpat|0123456789|=abc/);
  if (!expected) expect(shown).toContain(address);
});

test.each([
  [
    [
      "Cloning into 'x'...",
      'git@host.example: Permission denied (publickey).',
      'fatal: Could not read from remote repository.',
      '',
      'Please make sure you have the correct access rights',
      'and the repository exists.',
    ],
    'git@host.example: Permission denied (publickey). fatal: Could not read from remote repository.',
  ],
  [
    [
      'remote: Repository not found.',
      "fatal: repository 'https://u:pw@host.example/x.git/' not found",
    ],
    "remote: Repository not found. fatal: repository 'https://host.example/x.git/' not found",
  ],
  [['something else'], 'something else'],
  [[''], ''],
])('what git says of the cause: %j', (lines, words) => {
  expect(gitWords(lines.join('\n'))).toBe(words);
});

test('commands of a repository’s configuration are taken out, those of the user stay', () => {
  const listing = [
    ['global', 'filter.lfs.clean\ngit-lfs clean -- %f'],
    ['global', 'user.name\nSomebody'],
    ['local', 'filter.lfs.clean\ntouch owned'],
    ['local', 'filter.a=b.process\ntouch owned'],
    ['worktree', 'filter.x.required\ntrue'],
    ['local', 'core.sshcommand\ntouch owned'],
    ['local', 'diff.x.textconv\ntouch owned'],
    ['local', 'remote.origin.url\nhttps://host.example/x'],
    ['local', 'core.bare'],
  ];
  const guards = guardsFor(
    listing
      .flat()
      .map((part) => `${part}\0`)
      .join(''),
  );
  expect(guards).toEqual([
    { key: 'filter.lfs.clean', value: 'git-lfs clean -- %f' },
    { key: 'filter.a=b.process', value: '' },
    { key: 'filter.x.required', value: 'false' },
    { key: 'core.sshcommand', value: '' },
    { key: 'diff.x.textconv', value: '' },
    { key: 'core.fsmonitor', value: 'false' },
    { key: 'core.hooksPath', value: '/dev/null' },
  ]);
});
