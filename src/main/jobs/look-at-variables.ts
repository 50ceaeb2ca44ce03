import { existsSync } from 'node:fs';
import type { JobSpec } from '../../shared/job-spec.ts';
import { problem, type Problem } from '../../shared/problem.ts';

/** Variables that people expect a shell to replace. Others with a `$` are left alone: a password may hold one. */
const KNOWN =
  /^(HOME|USER|PATH|PWD|TMPDIR|VIRTUAL_ENV|CONDA_PREFIX|CUDA_VISIBLE_DEVICES|(TRAINYARD|TRAINML)_[A-Z_]+|ML_[A-Z]+_PATH)$/;
/** bash gives them their values itself. */
const OF_BASH = /^(UID|EUID|PPID|BASH_VERSINFO|PWD|SHLVL|_)$/;

/** What to tell of a job's variables before it starts: they are taken, and will not do what was meant. */
export function warnOfVariables(
  env: JobSpec['env'],
  isThere: (path: string) => boolean = existsSync,
): readonly Problem[] {
  return Object.entries(env).flatMap(([name, value]) => {
    const tell = (message: string, hint: string): readonly Problem[] => [
      problem({ code: 'input.env', op: 'check the job', subject: `env.${name}`, message, hint }),
    ];
    if (OF_BASH.test(name))
      return tell(
        `env.${name} is set by bash itself: the workers do not see this value.`,
        'Give the variable another name.',
      );
    const other = otherIn(name, value, env);
    if (other !== null)
      return tell(
        `env.${name} holds ${other}, which nothing replaces: values are taken as they stand.`,
        `Set it in the command, where a shell reads it: ${name}="${other}..." python train.py. In env a value may name its own variable alone, as in PATH: "/x:$PATH".`,
      );
    if (name === 'PATH' && !namesItself(name, value) && !/(^|:)\/(usr\/)?bin\/?(:|$)/.test(value))
      return tell(
        'env.PATH takes the place of the whole PATH: the workers find no program outside it, not even ls.',
        `To put it in front, write PATH: "${value}:$PATH".`,
      );
    const missing =
      name === 'LD_PRELOAD'
        ? value.split(/[\s:]+/).find((file) => file.startsWith('/') && !isThere(file))
        : undefined;
    return missing === undefined
      ? []
      : tell(
          `env.LD_PRELOAD names ${missing}, which is not there: every program of the workers says so and goes on without it.`,
          'Correct the path.',
        );
  });
}

const namesItself = (name: string, value: string): boolean =>
  new RegExp(`\\$(\\{${name}\\}|${name}(?![A-Za-z0-9_]))`).test(value);

/** The first thing in a value that a shell would replace and that is not the variable itself, as it is written; null where there is none. */
function otherIn(name: string, value: string, env: JobSpec['env']): string | null {
  for (const [written, braced, plain] of value.matchAll(
    /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}|([A-Za-z_][A-Za-z0-9_]*))/g,
  )) {
    const named = braced ?? plain ?? '';
    const isPlain = written === `\$${named}` || written === `\${${named}}`;
    if (named === name ? !isPlain : KNOWN.test(named) || named in env) return written;
  }
  return value.startsWith('~/') ? '~/' : null;
}
