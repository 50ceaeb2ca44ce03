/** What a file system says of itself (statfs). */
export interface DiskFigures {
  /** Blocks in all. */
  readonly blocks: number;
  /** Blocks that this user may still write. */
  readonly bavail: number;
  /** Bytes of a block. */
  readonly bsize: number;
}

/**
 * Bytes that may still be written; null where the file system does not tell. Some of the network and of programs say 0 of everything: a disk without
 * a single block is none that is full. Pure.
 */
export const bytesFree = ({ blocks, bavail, bsize }: DiskFigures): number | null =>
  blocks > 0 && bsize > 0 ? Math.max(0, bavail) * bsize : null;

/** `12 GiB free of 100 GiB`'s two numbers as a host tells them: a disk of no bytes is one that tells nothing. Pure. */
export const isDiskTold = ({ total }: { readonly total: number }): boolean => total > 0;
