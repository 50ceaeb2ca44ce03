import { problem } from '../shared/problem.ts';
import { DiskFault, errorCodeOf, onDisk } from './disk.ts';
import { openTree, type FolderTree, type TreeOptions } from './folder-tree.ts';

/** Opens the folder that files go to, made where it is missing. Throws a {@link DiskFault}. */
export function openDestination(
  folder: string,
  onExposed?: TreeOptions['onExposed'],
): Promise<FolderTree> {
  return onDisk({ op: 'make the folder', subject: folder }, async () => {
    try {
      return await openTree(folder, { make: true, use: 'copied there', onExposed });
    } catch (error) {
      // What stands in the way of a folder is told so.
      if (errorCodeOf(error) === 'EEXIST' || errorCodeOf(error) === 'ENOTDIR')
        throw new DiskFault(
          problem({
            code: 'transfer.exists',
            op: 'download to',
            subject: folder,
            message: 'A file is where the folder is needed.',
            hint: 'Move it away, or download to another folder.',
          }),
        );
      // The folder above is there, and still the system says that it is not: so it is below `/proc`.
      if (errorCodeOf(error) === 'ENOENT')
        throw new DiskFault(
          problem({
            code: 'transfer.disk-refused',
            op: 'make the folder',
            subject: folder,
            message: `No folder can be made at ${folder}.`,
            hint: 'Use another folder.',
          }),
        );
      throw error;
    }
  });
}
