// `npm start`: opens the window from this checkout. Arguments are handed on.
import { spawn } from 'node:child_process';
import { root } from './lib/root.mjs';
import { electronRuntime } from './test-runtime.mjs';

const say = (line) => process.stderr.write(`${line}\n`);

try {
  const runtime = await electronRuntime({ say });
  if (runtime.kind === 'registry')
    say(
      'This is the test runtime, which nobody checked whole: look at the window with it, put no key of yours into it.',
    );
  // Chromium's sandbox refuses to work for root, who has nothing to be protected from itself.
  const options = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const environment = { ...process.env };
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
