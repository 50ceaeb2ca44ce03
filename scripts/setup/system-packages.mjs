import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** What the window needs of the system: each entry lists names that serve alike, the newer Ubuntu's first. */
const WINDOW = [
  ['libnss3'],
  ['libgtk-3-0t64', 'libgtk-3-0'],
  ['libasound2t64', 'libasound2'],
  ['libgbm1'],
  ['libsecret-1-0'],
];
/** What the tests need beyond it: a display, a real keyring, independent clients, a Jupyter. */
const TESTS = [
  ['xvfb'],
  ['xauth'],
  ['gnome-keyring'],
  ['dbus'],
  ['git'],
  ['curl'],
  ['rclone'],
  ['strace'],
  ['procps'],
  ['libglib2.0-bin'],
  ['unzip'],
  ['python3'],
  ['bzip2'],
  ['e2fsprogs'],
  // A notebook is tested with a real one: about 120 MB.
  ['jupyter-notebook'],
  ['jupyter-nbconvert'],
  ['python3-google-auth'],
  ['python3-requests'],
];

/**
 * Installs missing Debian packages where this is a Debian or Ubuntu and the user may; else prints the exact command.
 * Returns false where something needed is missing.
 */
export function installSystemPackages({ forTests, forWindow, say }) {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/apt-get')) return true;
  const wanted = [...(forWindow ? WINDOW : []), ...(forTests ? TESTS : [])];
  if (wanted.length === 0) return true;
  const installed = installedPackages(wanted.flat());
  const missing = wanted.filter((names) => !names.some((name) => installed.has(name)));
  if (missing.length === 0) return true;
  const prefix = process.getuid?.() === 0 ? [] : mayUseSudo() ? ['sudo', '-n'] : null;
  if (prefix === null) {
    const names = missing.map((alternatives) => alternatives.at(-1)).join(' ');
    say(`Some system packages are missing, and this user may not install them. Run:\n`);
    say(`  sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${names}\n`);
    say('then the same command again.');
    return false;
  }
  say('Installing system packages (apt-get) ...');
  const apt = (...words) => {
    const [command, ...rest] = [
      ...prefix,
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      ...words,
    ];
    return spawnSync(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  };
  apt('update');
  const available = availablePackages(missing.flat());
  const chosen = missing.map((names) => names.find((name) => available.has(name)) ?? names.at(-1));
  const done = apt('install', '--yes', '--no-install-recommends', ...chosen);
  if (done.status === 0) return true;
  say(done.stderr.trim());
  say(
    `apt-get could not install: ${chosen.join(' ')}. Install them, then run the same command again.`,
  );
  return false;
}

function installedPackages(names) {
  const query = spawnSync(
    'dpkg-query',
    ['-W', '-f', '${Package} ${db:Status-Status}\\n', ...names],
    {
      encoding: 'utf8',
    },
  );
  return new Set(
    (query.stdout ?? '')
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
}

function availablePackages(names) {
  const query = spawnSync('apt-cache', ['policy', ...names], { encoding: 'utf8' });
  const found = new Set();
  let name = null;
  for (const line of (query.stdout ?? '').split('\n')) {
    if (/^\S+:$/.test(line)) name = line.slice(0, -1);
    else if (/^\s+Candidate: (?!\(none\))/.test(line) && name !== null) found.add(name);
  }
  return found;
}

function mayUseSudo() {
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
}
