/**
 * `npm test` answers within minutes on two cores. The files named here take longer than their share: they run where `TRAINYARD_TEST_LONG=1` asks for
 * them, as `.ci/run` does, and wherever `CI` is set. The numbers are how many tests each file holds, so that a run which leaves them out can count
 * them; a run of all tests compares them (scripts/lib/left-out.mjs).
 */
const wanted = process.env['TRAINYARD_TEST_LONG'] === '1' || process.env['CI'] !== undefined;

export const longParts: Readonly<Record<string, number>> = {
  'test/agent/breaking-disk.test.ts': 1,
  'test/agent/buckets.test.ts': 14,
  'test/agent/damaged.test.ts': 7,
  'test/agent/disks.test.ts': 5,
  'test/agent/logs.test.ts': 6,
  'test/agent/notebook.test.ts': 8,
  'test/agent/outputs.test.ts': 7,
  'test/agent/upload-again.test.ts': 6,
  'test/agent/worker-tokens.test.ts': 9,
  'test/cli/access.test.ts': 3,
  'test/cli/addresses.test.ts': 24,
  'test/cli/administrator.test.ts': 8,
  'test/cli/key-life.test.ts': 2,
  'test/cli/left-out.test.ts': 5,
  'test/cli/notebook.test.ts': 1,
  'test/cli/offline.test.ts': 22,
  'test/cli/silent-network.test.ts': 2,
  'test/google/faults.test.ts': 89,
  'test/google/grants-applied.test.ts': 17,
  'test/leaks/command-line.test.ts': 13,
  'test/main/jobs/key-uses.test.ts': 1,
  'test/main/jobs/output-taken.test.ts': 17,
  'test/main/jobs/service.test.ts': 8,
  'test/main/jobs/two.test.ts': 9,
  'test/main/jobs/worker-keys.test.ts': 3,
  'test/soak/reboot.test.ts': 1,
  'test/transfer/bombs.test.ts': 7,
  'test/transfer/disks.test.ts': 14,
  'test/transfer/generations.test.ts': 13,
  'test/transfer/kill.test.ts': 4,
  'test/transfer/network-faults.test.ts': 14,
  'test/transfer/proxied.test.ts': 5,
  'test/transfer/resume.test.ts': 10,
  'test/transfer/two-copies.test.ts': 7,
  'test/transfer/upload.test.ts': 19,
};

export const longWindow: Readonly<Record<string, number>> = {
  'bucket-links.spec.ts': 1,
  'buckets.spec.ts': 9,
  'first-start.spec.ts': 1,
  'job-actions.spec.ts': 1,
  'job-charts.spec.ts': 1,
  'job-list.spec.ts': 5,
  'job-logs.spec.ts': 7,
  'keyboard-job.spec.ts': 1,
  'keys-looks.spec.ts': 3,
  'kills.spec.ts': 1,
  'leaks.spec.ts': 1,
  'new-job.spec.ts': 7,
  'notebooks.spec.ts': 1,
  'packaged.spec.ts': 3,
};

/** Tests of the parts, and of the window, that this run leaves out. */
export const partsLeftOut: readonly string[] = wanted ? [] : Object.keys(longParts);
export const windowLeftOut: readonly string[] = wanted ? [] : Object.keys(longWindow);
