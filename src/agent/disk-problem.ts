import { problem, type Problem } from '../shared/problem.ts';
import { errorCode } from './files.ts';

/**
 * What an error of the run's own disk means to a user: `host.no-room`, `host.disk-refused` (read-only, permissions), `host.disk`.
 * Null where it is no error of a disk.
 */
export function diskProblem(error: unknown, op: string, subject: string): Problem | null {
  const code = errorCode(error);
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return noRoom(subject, op);
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return problem({
        code: 'host.disk-refused',
        op,
        subject,
        message:
          code === 'EROFS'
            ? `The disk of ${subject} is read-only.`
            : `The system does not allow the run to write: ${error instanceof Error ? error.message : code}`,
        hint: `Make ${subject} writable again, then retry: what was done so far is kept.`,
        retryable: true,
      });
    case 'EIO':
    case 'ESTALE':
    case 'ENODEV':
      return problem({
        code: 'host.disk',
        op,
        subject,
        message: `The disk of ${subject} reports an error (${code}).`,
        hint: 'Check the disk, then retry: what was done so far is kept.',
        retryable: true,
      });
    default:
      return null;
  }
}

/** `host.no-room`: the disk of `subject` is full. */
export function noRoom(subject: string, op = 'start the run'): Problem {
  return problem({
    code: 'host.no-room',
    op,
    subject,
    message: `The disk of ${subject} is full.`,
    hint: 'Make room on that disk, then retry: what was done so far is kept.',
    retryable: true,
  });
}
