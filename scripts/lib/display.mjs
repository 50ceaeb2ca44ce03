import { spawn } from 'node:child_process';

/**
 * Starts an X server without a screen on a display that it chooses itself, and waits until it listens.
 *
 * @returns {Promise<{ display: string, stop: () => Promise<void> }>}
 * @throws with a message for the user where Xvfb is not there or does not start.
 */
export async function startDisplay() {
  const server = spawn(
    'Xvfb',
    ['-displayfd', '3', '-screen', '0', '1600x1000x24', '-nolisten', 'tcp', '-noreset'],
    { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const ended = new Promise((resolve) => {
    server.once('exit', resolve);
    server.once('error', resolve);
  });
  let errors = '';
  server.stderr.on('data', (chunk) => (errors = (errors + chunk).slice(-2_000)));
  const number = await new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => {
      server.kill('SIGKILL');
      reject(new Error(`Xvfb did not start within 20 seconds. ${errors}`));
    }, 20_000);
    server.stdio[3].on('data', (chunk) => {
      text += chunk;
      if (!text.includes('\n')) return;
      clearTimeout(timer);
      resolve(text.trim());
    });
    server.once('error', () => {
      clearTimeout(timer);
      reject(new Error('Xvfb is not here. Install it: apt-get install xvfb'));
    });
    server.once('exit', () => {
      clearTimeout(timer);
      reject(new Error(`Xvfb ended at its start. ${errors}`));
    });
  });
  return {
    display: `:${number}`,
    stop: async () => {
      server.kill('SIGTERM');
      await ended;
    },
  };
}
