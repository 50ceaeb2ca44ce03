import { closeSync, readdirSync, readFileSync } from 'node:fs';

/** What Node.js opens itself is closed when another program is executed: this bit says so, in the octal `flags` of `/proc/self/fdinfo`. */
const CLOSES_ON_EXEC = 0o2000000;

/** Whether a file was there before this program was, told from its fdinfo. Pure. */
export function isInherited(fdinfo: string): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(fdinfo)?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & CLOSES_ON_EXEC) === 0;
}

/**
 * Closes the files and sockets that this program inherited without being meant to have them, but for stdin, stdout and stderr: an agent and its
 * workers outlive the application, and must hold nothing of its window, whose sockets and locks Chromium leaves open to every child. Linux alone
 * tells which they are. How many it closed.
 */
export function closeInherited(): number {
  if (process.platform !== 'linux') return 0;
  const found = readdirSync('/proc/self/fd').map(Number);
  return found.filter((file) => file > 2 && close(file)).length;
}

function close(file: number): boolean {
  try {
    if (!isInherited(readFileSync(`/proc/self/fdinfo/${file}`, 'utf8'))) return false;
    closeSync(file);
    return true;
  } catch {
    // The one by which the list was read is gone by now.
    return false;
  }
}
