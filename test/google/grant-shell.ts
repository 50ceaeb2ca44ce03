import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReadGrants } from './grant-reader.ts';

/** One call of gcloud: its arguments, and the file of its condition where it named one. */
export interface GcloudCall {
  readonly argv: readonly string[];
  readonly condition: string | null;
}

/**
 * Runs a script by the real bash with a `gcloud` that only writes down how it was called, and a working directory that nothing but the script
 * could have put files into. Returns the calls, what the script printed, and the files that it left.
 */
export function runScript(
  script: string,
  /** Lines of bash that decide what that `gcloud` answers; without any it says yes. `$TMPDIR` is theirs. */
  answers = '',
): {
  readonly calls: readonly GcloudCall[];
  readonly stdout: string;
  readonly files: readonly string[];
} {
  const folder = mkdtempSync(join(tmpdir(), 'trainyard-grant-'));
  try {
    const log = join(folder, 'calls');
    const stub = join(folder, 'gcloud');
    writeFileSync(
      stub,
      `#!/usr/bin/env bash
{ printf 'call\\0'; for word in "$@"; do printf '%s\\0' "$word"; case "$word" in
  --condition-from-file=*) printf 'file:'; cat "\${word#*=}"; printf '\\0';; esac; done; } >>'${log}'
${answers}
`,
    );
    chmodSync(stub, 0o755);
    const work = join(folder, 'work');
    execFileSync('mkdir', [work]);
    const stdout = execFileSync('bash', ['-s'], {
      input: script,
      cwd: work,
      encoding: 'utf8',
      env: { PATH: `${folder}:/usr/bin:/bin`, HOME: work, TMPDIR: folder },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const calls: { argv: string[]; condition: string | null }[] = [];
    for (const word of readFileSync(log, 'utf8').split('\0').slice(0, -1)) {
      const last = calls.at(-1);
      if (word === 'call') calls.push({ argv: [], condition: null });
      else if (word.startsWith('file:') && last !== undefined) last.condition = word.slice(5);
      else last?.argv.push(word);
    }
    const files = execFileSync('ls', ['-A', work], { encoding: 'utf8' }).split('\n').slice(0, -1);
    return { calls, stdout, files };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A binding as the calls of gcloud grant it. */
export interface GrantedBinding {
  /** `gs://bucket` or `gs://bucket/folder/`. */
  readonly url: string;
  readonly role: string;
  readonly member: string;
  readonly condition: { readonly title: string; readonly expression: string } | null;
}

const flagOf = (argv: readonly string[], name: string): string | null =>
  argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? null;

/** Reads `--condition=KEY=VALUE,KEY=VALUE` as gcloud does: parts end at commas, a key at its first `=`. */
export function readCondition(text: string): GrantedBinding['condition'] {
  if (text === 'None') return null;
  const fields = new Map<string, string>();
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    if (at < 0) throw new Error(`gcloud would not read the condition ${text}`);
    fields.set(part.slice(0, at), part.slice(at + 1));
  }
  const { title, expression, ...others } = Object.fromEntries(fields) as Record<string, string>;
  if (title === undefined || expression === undefined || Object.keys(others).length > 0)
    throw new Error(`gcloud would not read the condition ${text}`);
  return { title, expression };
}

/** What recorded calls of gcloud make. Throws at a call that gcloud would not take. */
export function grantsOf(calls: readonly GcloudCall[]): ReadGrants {
  const made = (kind: string) =>
    calls.filter(({ argv }) => argv[1] === kind && argv[2] === 'create').map(({ argv }) => argv);
  const [role, ...more] = made('roles');
  if (more.length > 0) throw new Error('More than one role is made.');
  return {
    customRole:
      role === undefined
        ? null
        : { id: role[3] ?? '', permissions: flagOf(role, 'permissions') ?? '' },
    managedFolders: made('managed-folders').map((argv) => {
      const [, bucket = '', name = ''] = /^gs:\/\/([^/]+)\/(.*)$/s.exec(argv[3] ?? '') ?? [];
      return { bucket, name };
    }),
    bindings: bindingsOf(calls),
  };
}

/** The bindings that recorded calls of gcloud make. Throws at a call that gcloud would not take. */
export function bindingsOf(calls: readonly GcloudCall[]): readonly GrantedBinding[] {
  return calls.flatMap(({ argv, condition }): GrantedBinding[] => {
    if (argv[2] !== 'add-iam-policy-binding') return [];
    const url = argv[3] ?? '';
    const flag = flagOf(argv, 'condition');
    if ((flag === null) === (condition === null))
      throw new Error('Either --condition or --condition-from-file has to be there.');
    return [
      {
        url,
        role: flagOf(argv, 'role') ?? '',
        member: flagOf(argv, 'member') ?? '',
        condition:
          condition === null
            ? readCondition(flag ?? '')
            : (JSON.parse(condition) as GrantedBinding['condition']),
      },
    ];
  });
}
