/** A process and its user, in words. Pure. */

/** What a program's text follows: `-c`, `-lc`, `-e`, `--eval`. Other words that look like it hide what comes next as well. */
const BEFORE_TEXT = /^(-[A-Za-z]{0,3}[cep]|--eval|--print)$/;

/** The program of a command line, and its first argument that is no option; nothing of a program's text. Pure. */
export function shortCommand(words: readonly string[]): string | null {
  const [program, ...rest] = words;
  if (program === undefined || program === '') return null;
  const at = rest.findIndex((word) => word !== '' && !word.startsWith('-'));
  const first = rest[at];
  const parts =
    first === undefined || BEFORE_TEXT.test(rest[at - 1] ?? '') ? [program] : [program, first];
  return parts
    .map((part) => part.slice(part.lastIndexOf('/') + 1) || part)
    .join(' ')
    .slice(0, 80);
}

/** The name of a user in the text of `/etc/passwd`. Pure. */
export function userName(passwd: string, uid: number): string {
  const line = passwd.split('\n').find((one) => one.split(':')[2] === String(uid));
  return line?.split(':')[0] ?? `user ${uid}`;
}
