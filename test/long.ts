/**
 * `npm test` answers within minutes on two cores. The files named here take longer than their share: they run where `TRAINYARD_TEST_LONG=1` asks for
 * them, as `.ci/run` does, and wherever `CI` is set. The numbers are how many tests each file holds, so that a run which leaves them out can count
 * them; a run of all tests compares them (scripts/lib/left-out.mjs).
 */
const wanted = process.env['TRAINYARD_TEST_LONG'] === '1' || process.env['CI'] !== undefined;

export const longParts: Readonly<Record<string, number>> = {
  'test/agent/breaking-disk.test.ts': 0,
  'test/agent/buckets.test.ts': 0,
  'test/agent/damaged.test.ts': 0,
  'test/agent/disks.test.ts': 0,
  'test/agent/logs.test.ts': 0,
  'test/agent/notebook.test.ts': 0,
  'test/agent/outputs.test.ts': 0,
  'test/agent/upload-again.test.ts': 0,
  'test/agent/worker-tokens.test.ts': 0,
  'test/cli/access.test.ts': 0,
  'test/cli/addresses.test.ts': 0,
  'test/cli/administrator.test.ts': 0,
  'test/cli/key-life.test.ts': 0,
  'test/cli/left-out.test.ts': 0,
  'test/cli/notebook.test.ts': 0,
  'test/cli/offline.test.ts': 0,
  'test/cli/silent-network.test.ts': 0,
  'test/google/faults.test.ts': 0,
  'test/google/grants-applied.test.ts': 0,
  'test/leaks/command-line.test.ts': 0,
  'test/main/jobs/key-uses.test.ts': 0,
  'test/main/jobs/output-taken.test.ts': 0,
  'test/main/jobs/service.test.ts': 0,
  'test/main/jobs/two.test.ts': 0,
  'test/main/jobs/worker-keys.test.ts': 0,
  'test/soak/reboot.test.ts': 0,
  'test/transfer/bombs.test.ts': 0,
  'test/transfer/disks.test.ts': 0,
  'test/transfer/generations.test.ts': 0,
  'test/transfer/kill.test.ts': 0,
  'test/transfer/network-faults.test.ts': 0,
  'test/transfer/proxied.test.ts': 0,
  'test/transfer/resume.test.ts': 0,
  'test/transfer/two-copies.test.ts': 0,
  'test/transfer/upload.test.ts': 0,
};

export const longWindow: Readonly<Record<string, number>> = {
  'bucket-links.spec.ts': 0,
  'buckets.spec.ts': 0,
  'first-start.spec.ts': 0,
  'job-actions.spec.ts': 0,
  'job-charts.spec.ts': 0,
  'job-list.spec.ts': 0,
  'job-logs.spec.ts': 0,
  'keyboard-job.spec.ts': 0,
  'keys-looks.spec.ts': 0,
  'kills.spec.ts': 0,
  'leaks.spec.ts': 0,
  'new-job.spec.ts': 0,
  'notebooks.spec.ts': 0,
  'packaged.spec.ts': 0,
};

/** Tests of the parts, and of the window, that this run leaves out. */
export const partsLeftOut: readonly string[] = wanted ? [] : Object.keys(longParts);
export const windowLeftOut: readonly string[] = wanted ? [] : Object.keys(longWindow);
