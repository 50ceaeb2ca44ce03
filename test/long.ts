/**
 * `npm test` answers within ten minutes on two cores. The tests named here take longer than their share: they run where
 * `TRAINYARD_TEST_LONG=1` asks for them, as `.ci/run` does, and wherever `CI` is set.
 */
const wanted = process.env['TRAINYARD_TEST_LONG'] === '1' || process.env['CI'] !== undefined;

const parts = [
  'test/agent/breaking-disk.test.ts',
  'test/agent/buckets.test.ts',
  'test/agent/damaged.test.ts',
  'test/agent/disks.test.ts',
  'test/agent/logs.test.ts',
  'test/agent/notebook.test.ts',
  'test/agent/outputs.test.ts',
  'test/agent/upload-again.test.ts',
  'test/agent/worker-tokens.test.ts',
  'test/cli/access.test.ts',
  'test/cli/addresses.test.ts',
  'test/cli/administrator.test.ts',
  'test/cli/key-life.test.ts',
  'test/cli/left-out.test.ts',
  'test/cli/notebook.test.ts',
  'test/cli/offline.test.ts',
  'test/cli/silent-network.test.ts',
  'test/google/faults.test.ts',
  'test/google/grants-applied.test.ts',
  'test/leaks/command-line.test.ts',
  'test/main/jobs/key-uses.test.ts',
  'test/main/jobs/output-taken.test.ts',
  'test/main/jobs/service.test.ts',
  'test/main/jobs/two.test.ts',
  'test/main/jobs/worker-keys.test.ts',
  'test/soak/reboot.test.ts',
  'test/transfer/bombs.test.ts',
  'test/transfer/disks.test.ts',
  'test/transfer/generations.test.ts',
  'test/transfer/kill.test.ts',
  'test/transfer/network-faults.test.ts',
  'test/transfer/proxied.test.ts',
  'test/transfer/resume.test.ts',
  'test/transfer/two-copies.test.ts',
  'test/transfer/upload.test.ts',
];

const window = [
  'bucket-links.spec.ts',
  'buckets.spec.ts',
  'first-start.spec.ts',
  'job-actions.spec.ts',
  'job-charts.spec.ts',
  'job-list.spec.ts',
  'job-logs.spec.ts',
  'keyboard-job.spec.ts',
  'keys-looks.spec.ts',
  'kills.spec.ts',
  'leaks.spec.ts',
  'new-job.spec.ts',
  'notebooks.spec.ts',
  'packaged.spec.ts',
];

/** A run that counts what others leave out sees that and nothing else: scripts/lib/left-out.mjs. */
const counts = process.env['TRAINYARD_TEST_LEFT_OUT'] === '1';

/** Tests of the parts that this run sees, and those of them that it leaves out. */
export const partsSeen: readonly string[] = counts ? parts : ['test/**/*.test.{ts,tsx}'];
export const partsLeftOut: readonly string[] = wanted || counts ? [] : parts;
/** Tests of the window, likewise. */
export const windowSeen: readonly string[] = counts ? window : ['*.spec.ts'];
export const windowLeftOut: readonly string[] = wanted || counts ? [] : window;
