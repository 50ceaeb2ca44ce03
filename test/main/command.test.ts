import { describe, expect, it } from 'vitest';
import { commandOf } from '../../src/main/app/command.ts';

describe('what the installed program was started with', () => {
  it.each([
    [['run', 'job.yaml']],
    [['keys', 'add', 'key.json', '--name', 'lab']],
    [['--version']],
    [['-h']],
    // Refused by the command line, in words; not a window that says nothing.
    [['nonsense']],
    [['./job.yaml']],
  ])('is a command: %j', (args) => {
    expect(commandOf(args)).toEqual(args);
  });

  it('comes behind options of Chromium', () => {
    expect(commandOf(['--no-sandbox', '--disable-gpu', 'jobs', '--json'])).toEqual([
      'jobs',
      '--json',
    ]);
  });

  it.each([
    [[]],
    [['trainyard://job/20260101-000000-abcdef']],
    [['TRAINYARD://job/x']],
    [['--no-sandbox']],
    [['--ozone-platform=wayland', 'trainyard://job/20260101-000000-abcdef']],
  ])('is a window: %j', (args) => {
    expect(commandOf(args)).toBeNull();
  });
});
