import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { byteName, bytesOf, joined, relativeTo, shown, type ByteName } from './byte-name.ts';
import { guardedEnvironment } from '../../shared/git.ts';

const IGNORE_FILE = byteName('.gitignore');

/** Which files of a folder git would not look at: `.gitignore` files, nested ones too, `.git/info/exclude`, and in a checkout the user's own `core.excludesFile` (gitignore(5)). */
export interface IgnoreRules {
  /** Reads the `.gitignore` of a folder, given relative to the root; called before anything in it is asked about. */
  enter(folder: ByteName): void;
  /** `name` is relative to the root. */
  ignores(name: ByteName, isFolder: boolean): boolean;
}

interface Level {
  /** Absolute folder that the patterns are relative to. */
  readonly base: ByteName;
  readonly rules: Ignore;
}

function readRules(file: ByteName, ignorecase: boolean): Ignore | null {
  try {
    // A pipe of this name would be waited for for ever.
    const wait = process.platform === 'win32' ? 0 : constants.O_NONBLOCK;
    const fd = openSync(bytesOf(file), constants.O_RDONLY | wait);
    try {
      return fstatSync(fd).isFile() ? ignore({ ignorecase }).add(readFileSync(fd, 'utf8')) : null;
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
}

/** The folder that holds `.git`, from `folder` upwards; null where there is none. */
function checkoutOf(folder: string): string | null {
  for (let at = folder; ; at = path.dirname(at)) {
    if (existsSync(path.join(at, '.git'))) return at;
    if (path.dirname(at) === at) return null;
  }
}

/** What git answers in a checkout; null where it does not, or is not there. */
function ask(checkout: string, ...parameters: readonly string[]): string | null {
  try {
    const answer = execFileSync('git', ['-C', checkout, ...parameters], {
      encoding: 'utf8',
      env: guardedEnvironment(process.env),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return answer.replace(/\n$/, '');
  } catch {
    return null;
  }
}

function excludeFile(checkout: string): string {
  const told = ask(checkout, 'rev-parse', '--path-format=absolute', '--git-path', 'info/exclude');
  return told ?? path.join(checkout, '.git/info/exclude');
}

/** The user's own rules for all checkouts; null for none. */
function ownExcludeFile(checkout: string): string | null {
  const told = ask(checkout, 'config', '--type=path', '--get', 'core.excludesFile');
  if (told !== null) return told === '' ? null : path.resolve(checkout, told);
  const folder = process.env['XDG_CONFIG_HOME'] ?? '';
  const home = process.env['HOME'] ?? '';
  if (folder !== '') return path.join(folder, 'git/ignore');
  return home === '' ? null : path.join(home, '.config/git/ignore');
}

/** Whether names that differ in case alone are one, to git in a checkout, else to the usual disk of the system. */
function ignoresCase(checkout: string | null): boolean {
  const told =
    checkout === null ? null : ask(checkout, 'config', '--type=bool', '--get', 'core.ignoreCase');
  return told === null ? process.platform !== 'linux' : told === 'true';
}

/** The rules of `root` and of the folders above it, up to its checkout. The deepest file that has something to say decides. */
export function openIgnoreRules(root: string): IgnoreRules {
  const checkout = checkoutOf(root);
  const levels: Level[] = [];
  const ignorecase = ignoresCase(checkout);
  const read = (file: ByteName, base: ByteName): void => {
    const rules = readRules(file, ignorecase);
    if (rules !== null) levels.push({ base, rules });
  };
  if (checkout !== null) {
    const own = ownExcludeFile(checkout);
    if (own !== null) read(byteName(own), byteName(checkout));
    read(byteName(excludeFile(checkout)), byteName(checkout));
    const between = path.relative(checkout, root).split(path.sep);
    for (let depth = 0; depth < between.length && checkout !== root; depth += 1) {
      const base = byteName(path.join(checkout, ...between.slice(0, depth)));
      read(joined(base, IGNORE_FILE), base);
    }
  }
  return {
    enter(folder) {
      const base = joined(byteName(root), folder);
      read(joined(base, IGNORE_FILE), base);
    },
    ignores(name, isFolder) {
      const absolute = joined(byteName(root), name);
      for (const { base, rules } of levels.toReversed()) {
        const relative = shown(relativeTo(base, absolute));
        if (relative === '' || relative.startsWith('..')) continue;
        const verdict = rules.test(isFolder ? `${relative}/` : relative);
        if (verdict.ignored) return true;
        if (verdict.unignored) return false;
      }
      return false;
    },
  };
}
