// Starts the command line on the Node.js 24 that came with the packages, whichever Node.js was asked first.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const program = join(root, 'out', 'cli', 'trainyard.mjs');

if (!existsSync(program)) {
  process.stderr.write('Trainyard is not built yet: run `npm run setup` first.\n');
  process.exit(2);
}

if (Number(process.versions.node.split('.')[0]) >= 24) {
  await import(program);
} else {
  const folder = { linux: 'node-linux', darwin: 'node-bin-darwin' }[process.platform];
  const node = join(root, 'node_modules', `${folder}-${process.arch}`, 'bin', 'node');
  if (!existsSync(node)) {
    process.stderr.write(
      `Trainyard's command line needs Node.js 24 and this is ${process.versions.node}: run \`npm run setup\`, or install Node.js 24.\n`,
    );
    process.exit(2);
  }
  // The channel ends with this process, however that ends, and tells the command line so: it goes on unseen by nobody.
  const child = spawn(node, [program, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  // The terminal signals the whole group; a signal sent to this process alone is handed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (!process.stdin.isTTY || signal !== 'SIGINT') child.kill(signal);
    });
  }
  // npx hands on no signal that ends it. Without this process the command line finds itself alone, and ends in order.
  if (process.env.npm_command === 'exec') {
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) process.exit(1);
    }, 500).unref();
  }
  child.on('exit', (code, signal) => {
    if (signal !== null) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code ?? 1);
  });
}
