import { stringify } from 'yaml';
import type { JobSpecInput } from '../../../shared/job-spec.ts';

/** A job file in YAML, commands and values as people write them. Pure. */
export function writeJobFile(spec: JobSpecInput): string {
  return stringify(spec, { lineWidth: 0, singleQuote: false, aliasDuplicateObjects: false });
}

/** Commands of a pasted text: one a line, empty lines left out; a line that ends with `\` goes on in the next. Pure. */
export function splitCommands(text: string): readonly string[] {
  const commands: string[] = [];
  let open: string | null = null;
  for (const line of text.split(/\r\n|\r|\n/)) {
    const whole: string = open === null ? line.trim() : `${open}\n${line.trimEnd()}`;
    if (/(^|[^\\])(\\\\)*\\$/.test(whole)) {
      open = whole;
      continue;
    }
    open = null;
    if (whole.trim() !== '') commands.push(whole);
  }
  if (open !== null) commands.push(open);
  return commands;
}

export interface Variable {
  readonly name: string;
  readonly value: string;
}

/**
 * Variables of a pasted text, `NAME=VALUE` a line, split at the first `=`. As in files that a shell reads, `export`, empty lines and lines that
 * begin with `#` say nothing, and quotes around a whole value are taken off. A line without `=` is a name with an empty value. Pure.
 */
export function splitVariables(text: string): readonly Variable[] {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim().replace(/^export\s+/, ''))
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const at = line.indexOf('=');
      if (at < 0) return { name: line, value: '' };
      return { name: line.slice(0, at).trim(), value: unquoted(line.slice(at + 1)) };
    });
}

function unquoted(value: string): string {
  const [, quote, inside] = /^(["'])(.*)\1$/.exec(value) ?? [];
  return quote === undefined || inside === undefined || inside.includes(quote) ? value : inside;
}
