import type { ArchiveFormat } from '../shared/job-spec.ts';

/** Longest first, so that `.tar.gz` is not taken for something that ends in `.gz`. */
const ENDINGS: readonly (readonly [string, ArchiveFormat])[] = [
  ['.tar.bz2', 'tar.bz2'],
  ['.tar.gz', 'tar.gz'],
  ['.tgz', 'tgz'],
  ['.tar', 'tar'],
  ['.zip', 'zip'],
];

/** The format of an archive by the ending of its name, in either case; null for everything else. A name that is nothing but the ending is none. */
export function archiveFormatOf(path: string): ArchiveFormat | null {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  const found = ENDINGS.find(([ending]) => name.endsWith(ending) && name.length > ending.length);
  return found?.[1] ?? null;
}
