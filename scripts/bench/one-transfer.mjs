// One transfer of ours, in a process of its own as other clients have theirs: bundled by transfer.mjs as the agent is. Argument: JSON with
// direction (`up`, `down`), folder, prefix, journal. Prints the most memory that it had, in kB.
import { readFile } from 'node:fs/promises';
import { endpointsFromEnvironment } from '../../src/google/endpoints.ts';
import { download } from '../../src/transfer/download.ts';
import { upload } from '../../src/transfer/upload.ts';

const { direction, folder, prefix, journal } = JSON.parse(process.argv[2]);
const endpoints = endpointsFromEnvironment(process.env).value;
const common = { endpoints, tokens: null, bucket: 'bench-bucket', journal };
const done =
  direction === 'down'
    ? await download({ ...common, target: { kind: 'folder', prefix }, destination: folder })
    : await upload({ ...common, prefix, source: folder, onlyOurs: true });
if (!done.ok || done.value.failed.length > 0) throw new Error(JSON.stringify(done));
// Not getrusage's: on Linux that begins with what the parent had.
const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
process.stdout.write(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? '0');
process.exit(0);
