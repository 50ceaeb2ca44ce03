// `npm start`: opens the window from this checkout. Arguments are handed on.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './lib/root.mjs';
import { electronRuntime } from './test-runtime.mjs';

const say = (line) => process.stderr.write(`${line}\n`);

/**
 * The test runtime was not checked whole, so it gets nothing of the user's: a HOME made for it and removed after it, and a Trainyard home
 * in there unless one is named.
 */
function throwawayHome(environment) {
  const home = mkdtempSync(join(tmpdir(), 'trainyard-window-'));
  say(
    `This is the test runtime, which nobody checked whole: it runs with a HOME of its own. Put no real key into it.`,
  );
  process.once('exit', () => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));
  return {
    TRAINYARD_HOME: join(home, 'trainyard'),
    ...environment,
    HOME: home,
    XDG_CONFIG_HOME: '',
  };
}

try {
  const runtime = await electronRuntime({ say });
  // Chromium's sandbox refuses to work for root, who has nothing to be protected from itself.
  const options = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const environment = runtime.kind === 'registry' ? throwawayHome(process.env) : { ...process.env };
  delete environment.ELECTRON_RUN_AS_NODE;
  const child = spawn(runtime.executable, [...options, root, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: environment,
  });
  child.once('error', (error) => {
    say(error.message);
    process.exitCode = 4;
  });
  child.once('exit', (code) => {
    process.exitCode = code ?? 1;
  });
} catch (error) {
  say(error.message);
  process.exitCode = 4;
}
