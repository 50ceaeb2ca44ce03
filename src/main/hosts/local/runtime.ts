import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access, chmod, copyFile, lstat, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

const NODE = 'node';
/** What the runtime was when it was checked. */
const RECORD = 'runtime.json';

const recordSchema = z.object({
  format: z.literal(1),
  inode: z.string(),
  /** Bytes. */
  size: z.string(),
  /** When contents, mode or links last changed; nanoseconds since 1970. Only the system sets it. */
  changed: z.string(),
});

/**
 * Whether the runtime may be executed and not read. Linux then keeps the memory of its processes from other programs of the same user (they are not
 * "dumpable"): tokens and keys of an agent lie there. Nothing is kept from root, and macOS keeps memory from other programs by itself.
 */
const hidesMemory = (): boolean => process.platform === 'linux' && process.getuid?.() !== 0;

const modeOf = (): number => (hidesMemory() ? 0o111 : 0o755);

/**
 * Puts a Node.js runtime into a folder: a copy, by reflink where the file system can, never a link, because what is done to the original afterwards
 * would be done to it. Its bytes are compared with the original's before its mode is set; what it is then is taken down. Returns false where they differ.
 */
export async function placeRuntime(from: string, folder: string): Promise<boolean> {
  const to = join(folder, NODE);
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  await chmod(to, 0o600);
  const [original, copy] = await Promise.all([checksumOf(from), checksumOf(to)]);
  if (original !== copy) return false;
  await chmod(to, modeOf());
  await writeFile(join(folder, RECORD), JSON.stringify(await stateOf(to)), { mode: 0o600 });
  return true;
}

/**
 * Whether the runtime of a folder is what was checked when it was placed, by inode, size and time of change: as it cannot be read, it has no checksum
 * any more. Whoever may write the folder can write the record, too. Throws where it cannot be looked at.
 */
export async function isRuntimeUntouched(folder: string): Promise<boolean> {
  const file = join(folder, NODE);
  const known = recordSchema.safeParse(JSON.parse(await readFile(join(folder, RECORD), 'utf8')));
  if (!known.success) return false;
  await access(file, constants.X_OK);
  const now = await stateOf(file);
  const { inode, size, changed } = known.data;
  return inode === now.inode && size === now.size && changed === now.changed;
}

async function stateOf(file: string): Promise<z.infer<typeof recordSchema>> {
  const { ino, size, ctimeNs } = await lstat(file, { bigint: true });
  return { format: 1, inode: String(ino), size: String(size), changed: String(ctimeNs) };
}

async function checksumOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(file, { highWaterMark: 1024 * 1024 }))
    hash.update(part as Buffer);
  return hash.digest('hex');
}
