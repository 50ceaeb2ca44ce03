import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { NOBODY } from './without-privileges.ts';

/** Exchanges `place` and a link to `target` as fast as it can, until its input ends; then it puts the entry back and says how often it did. */
const SCRIPT = `
const { existsSync, renameSync, symlinkSync, unlinkSync } = require('node:fs');
const [place, target, uid] = JSON.parse(process.argv[1]);
if (uid !== null) { process.setgroups([]); process.setgid(uid); process.setuid(uid); }
const aside = place + '.aside';
let swaps = 0;
const attempt = (deed) => { try { deed(); return true; } catch { return false; } };
const turn = () => {
  if (attempt(() => renameSync(place, aside))) {
    if (attempt(() => symlinkSync(target, place))) swaps += 1;
    const until = Date.now() + 2;
    while (Date.now() < until);
    attempt(() => unlinkSync(place));
    attempt(() => renameSync(aside, place));
  }
  next = setTimeout(turn, 1);
};
let next = setTimeout(turn, 0);
process.stdin.on('end', () => {
  clearTimeout(next);
  if (existsSync(aside)) { attempt(() => unlinkSync(place)); attempt(() => renameSync(aside, place)); }
  process.stdout.write(String(swaps));
}).resume();
process.stdout.write('ready ');
`;

export interface Swapper {
  /** Resolves to how often the entry was a link. */
  stop(): Promise<number>;
}

/** Another user (where the tests run as root) who puts a link in the place of an entry of a shared folder, again and again. */
export async function startSwapper(place: string, target: string): Promise<Swapper> {
  const uid = process.getuid?.() === 0 ? NOBODY : null;
  const child = spawn(process.execPath, ['-e', SCRIPT, JSON.stringify([place, target, uid])], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let said = '';
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  await new Promise<void>((ready, failed) => {
    child.stdout.on('data', (part: Buffer) => {
      said += part.toString();
      if (said.startsWith('ready ')) ready();
    });
    child.once('exit', () => failed(new Error('the swapper ended')));
  });
  return {
    async stop() {
      child.stdin.end();
      await ended;
      return Number(said.slice('ready '.length));
    },
  };
}

/** A folder that everybody may write to, below one that everybody may pass through. */
export function sharedFolder(above: string, name: string): string {
  chmodSync(above, 0o711);
  const folder = join(above, name);
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  return folder;
}
