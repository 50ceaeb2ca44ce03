import { execFile } from 'node:child_process';
import { existsSync, statfsSync } from 'node:fs';
import { availableParallelism, hostname, totalmem, userInfo } from 'node:os';
import path from 'node:path';
import type { HostProbe } from '../shared/agent-protocol.ts';
import { probeGpus } from './gpu/nvidia-smi.ts';
import { captureEnvironment, loginShell } from './login-shell.ts';
import { agentVersion } from './version.ts';

/** How long the login shell is waited for, and half as long where it is asked again: whoever asks waits half a minute in all. Milliseconds. */
const SHELL_TIME = 14_000;

/** The verb `probe`: prints what this machine is, as one JSON line. */
export async function printProbe(home: string): Promise<void> {
  process.stdout.write(`${JSON.stringify(await probeHost(home))}\n`);
}

export async function probeHost(home: string): Promise<HostProbe> {
  const asked = captureEnvironment(undefined, SHELL_TIME);
  const [gpus, environment, survival] = await Promise.all([
    probeGpus(async () => (await asked).variables['PATH']),
    asked,
    logoutSurvival(),
  ]);
  return {
    agentVersion: agentVersion(),
    nodeVersion: process.version,
    platform: process.platform,
    arch: process.arch,
    hostname: hostname(),
    processors: availableParallelism(),
    memory: totalmem(),
    disk: diskOf(home),
    gpus,
    loginShell:
      environment.shell === null
        ? null
        : {
            path: loginShell(),
            variables: Object.keys(environment.variables)
              .filter((name) => process.env[name] !== environment.variables[name])
              .toSorted(),
          },
    ...survival,
  };
}

/** The disk of a folder, or of the nearest one above that is there. */
function diskOf(folder: string): HostProbe['disk'] {
  let at = folder;
  while (!existsSync(at) && path.dirname(at) !== at) at = path.dirname(at);
  const disk = statfsSync(at);
  return { path: folder, free: disk.bavail * disk.bsize, total: disk.blocks * disk.bsize };
}

type Survival = Pick<HostProbe, 'survivesLogout' | 'survivesLogoutReason'>;

/**
 * What the answer of `loginctl show-user --property=Linger` and `loginctl show --property=KillUserProcesses --property=KillOnlyUsers ...` mean
 * (loginctl(1), logind.conf(5)). `user` is null where logind knows no such user now.
 */
export function readSurvival(manager: string, user: string | null, name: string): Survival {
  const property = (text: string, key: string): string | null =>
    new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1] ?? null;
  const kills = property(manager, 'KillUserProcesses');
  const lingers = user === null ? null : property(user, 'Linger');
  const excluded = (property(manager, 'KillExcludeUsers') ?? '').split(' ').includes(name);
  const only = (property(manager, 'KillOnlyUsers') ?? '').split(' ').filter((each) => each !== '');
  if (lingers === 'yes')
    return { survivesLogout: true, survivesLogoutReason: `Lingering is on for ${name}.` };
  if (kills === 'no')
    return {
      survivesLogout: true,
      survivesLogoutReason: 'systemd leaves processes alone at logout (KillUserProcesses=no).',
    };
  if (kills === 'yes' && (excluded || (only.length > 0 && !only.includes(name))))
    return {
      survivesLogout: true,
      survivesLogoutReason: `systemd ends processes at logout on this machine, but not those of ${name}.`,
    };
  if (kills === 'yes')
    return {
      survivesLogout: false,
      survivesLogoutReason: `systemd ends a user's processes at the last logout on this machine (KillUserProcesses=yes). Allow them once with: loginctl enable-linger ${name}`,
    };
  return {
    survivesLogout: null,
    survivesLogoutReason: 'systemd-logind did not tell whether it ends processes at logout.',
  };
}

async function logoutSurvival(): Promise<Survival> {
  if (process.platform !== 'linux')
    return {
      survivesLogout: null,
      survivesLogoutReason: 'Trainyard cannot tell on this system.',
    };
  if (!existsSync('/run/systemd/system'))
    return {
      survivesLogout: true,
      survivesLogoutReason: 'There is no systemd-logind here that would end processes at logout.',
    };
  const name = userInfo().username;
  const manager = await loginctl(
    'show',
    '--property=KillUserProcesses',
    '--property=KillExcludeUsers',
    '--property=KillOnlyUsers',
  );
  const user = await loginctl('show-user', name, '--property=Linger');
  return readSurvival(manager ?? '', user, name);
}

function loginctl(...parameters: string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(
      'loginctl',
      parameters,
      { timeout: 5_000, env: { ...process.env, LC_ALL: 'C' } },
      (error, stdout) => resolve(error === null ? stdout : null),
    );
  });
}
