import { readFile } from 'node:fs/promises';
import { download, type DownloadOptions } from '../../src/transfer/download.ts';
import { uploadArchive } from '../../src/transfer/upload-archive.ts';
import { upload, type UploadOptions } from '../../src/transfer/upload.ts';
import { accountTokens } from './world.ts';

/**
 * One transfer in a process of its own, for tests that kill it. `argv[2]`: a JSON file with `what`, `keyFile`, `purpose` and `options`.
 * Writes each progress, then `done` with the result and by how much its memory grew, as JSON lines to stdout.
 */
interface Order {
  readonly what: 'download' | 'upload' | 'archive';
  readonly keyFile: string;
  readonly purpose: 'read' | 'write';
  readonly options: Omit<DownloadOptions, 'tokens'> &
    Omit<UploadOptions, 'tokens'> & { object: string };
}

const order = JSON.parse(await readFile(process.argv[2]!, 'utf8')) as Order;
const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
const before = process.memoryUsage.rss();
let most = before;
const watch = setInterval(() => {
  most = Math.max(most, process.memoryUsage.rss());
}, 20);
const options = {
  ...order.options,
  tokens: await accountTokens(order.keyFile, order.options.endpoints, order.purpose),
  onProgress: (progress: unknown) => say({ progress }),
};
say({ ready: true });
const work = { download, upload, archive: uploadArchive }[order.what];
const done = await work(options);
clearInterval(watch);
say({ done, grown: most - before });
