import { problem, type Problem } from '../shared/problem.ts';

/** Why the emulator does not start, beside what its options and key files have wrong; codes are those of the system. */

const op = 'start the embedded Google';

export const portTaken = (port: number, code: string): Problem =>
  problem({
    code: 'host.port',
    op,
    subject: String(port),
    message:
      code === 'EADDRINUSE'
        ? `Port ${port} of 127.0.0.1 is in use by another program.`
        : `Port ${port} of 127.0.0.1 cannot be used (${code}).`,
    hint: 'Give another port with --port; --port 0, the default, takes a free one.',
  });

export const folderInUse = (folder: string, holder: number): Problem =>
  problem({
    code: 'host.folder',
    op,
    subject: folder,
    message: `The folder ${folder} is in use by another emulator (process ${holder}).`,
    hint: 'Give another folder with --dir, or end that process first.',
  });

export function folderRefused(folder: string, code: string): Problem {
  const inTheWay = code === 'EEXIST' || code === 'ENOTDIR';
  return problem({
    code: 'host.folder',
    op,
    subject: folder,
    message: inTheWay
      ? `${folder} cannot be the folder: a file is in its place, or above it.`
      : `The folder ${folder} cannot be used (${code}).`,
    hint: 'Give a folder that you may write to with --dir; without --dir it takes a temporary one.',
  });
}

export const temporaryRefused = (above: string, code: string): Problem =>
  problem({
    code: 'host.folder',
    op,
    subject: above,
    message: `No folder can be made in ${above} (${code}).`,
    hint: 'Set TMPDIR to a folder that is there and that you may write to, or give one with --dir.',
  });

/** `what`: `is wrong: ...`. */
export const faultsRefused = (file: string, what: string): Problem =>
  problem({
    code: 'input.faults',
    op,
    subject: file,
    message: `The faults file ${file} ${what}`,
    hint: 'docs/emulator.md has the form of it.',
  });
