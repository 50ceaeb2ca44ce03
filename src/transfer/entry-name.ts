import { utf8Length } from '../shared/address.ts';

/** The longest file name of the usual file systems, in bytes (`NAME_MAX`). */
const SEGMENT_LIMIT = 255;

const WINDOWS_DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)/i;

function windowsReason(segment: string): string | null {
  if (/[<>:"|?*\\]/.test(segment)) return 'it holds a character that Windows allows in no name';
  if (WINDOWS_DEVICE.test(segment)) return 'Windows has a device of that name';
  if (/[. ]$/.test(segment)) return 'Windows drops a dot or space at the end of a name';
  return null;
}

/** Why one part of a name cannot be the name of a file or folder, or null where it can. */
function segmentReason(segment: string, windows: boolean): string | null {
  if (segment === '') return 'it has an empty part: two slashes in a row, or one at the beginning';
  if (segment === '.' || segment === '..') return `it has the part "${segment}"`;
  if (/[\u0000-\u001f\u007f]/.test(segment)) return 'it holds a control character';
  if (utf8Length(segment) > SEGMENT_LIMIT) return `a part of it is longer than 255 bytes`;
  return windows ? windowsReason(segment) : null;
}

/** Why the name of an entry of an archive cannot be a path below a folder, or null where it can. Entries are not renamed: they are refused. */
export function entryNameReason(path: string, windows: boolean): string | null {
  for (const segment of path.split('/')) {
    const reason = segmentReason(segment, windows);
    if (reason !== null) return reason;
  }
  return null;
}
