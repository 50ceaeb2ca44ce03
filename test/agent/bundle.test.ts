import path from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

test('a supervisor, which lives as long as its worker, loads neither transfers nor plans', async () => {
  const { metafile } = await build({
    entryPoints: { supervise: path.join(root, 'src/agent/supervise.ts') },
    absWorkingDir: root,
    outdir: 'unused',
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    external: ['@node-rs/crc32'],
    logLevel: 'error',
  });
  const own = Object.keys(metafile.inputs).filter((name) => !name.startsWith('node_modules/zod/'));
  expect(own.toSorted()).toEqual([
    'src/agent/environment/find-program.ts',
    'src/agent/files.ts',
    'src/agent/hide.ts',
    'src/agent/identity.ts',
    'src/agent/launch.ts',
    'src/agent/log-pipe.ts',
    'src/agent/processes/belongs.ts',
    'src/agent/processes/cgroup.ts',
    'src/agent/processes/end.ts',
    'src/agent/processes/out-of-memory.ts',
    'src/agent/processes/table.ts',
    'src/agent/processes/track.ts',
    'src/agent/supervise.ts',
    'src/google/sleep.ts',
    'src/shared/process-identity.ts',
    'src/shared/raw-text.ts',
    'src/shared/run-directory.ts',
    'src/shared/stop-signals.ts',
    'src/shared/unknown-fields.ts',
    // Who a process is, and files of state: shared with the locks of transfers.
    'src/transfer/identity.ts',
    'src/transfer/state-files.ts',
  ]);
});
