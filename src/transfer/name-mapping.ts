import { createHash } from 'node:crypto';
import { utf8Length } from '../shared/address.ts';

/**
 * How names of objects become names of files: docs/names.md. Pure, and reversible by {@link objectPathOf} but for parts that were cut.
 * A name that can stand as it is stays as it is; in others, only what cannot stand is written as `%XX`.
 */

/** What a file is called until it is complete and verified. */
export const PARTIAL_SUFFIX = '.trainyard-partial';

/** The longest file name of the usual file systems, in bytes (`NAME_MAX`). */
const SEGMENT_LIMIT = 255;

export type NamePlatform = 'posix' | 'windows';

/** The rules that the disks of this machine go by. */
export const NAME_PLATFORM: NamePlatform = process.platform === 'win32' ? 'windows' : 'posix';

/** Marks that no encoded name holds otherwise. */
const EMPTY = '%empty';
const FILE = '%file';
const SAME = /%same-[0-9a-f]{16}$/;
const CUT = /%cut-[0-9a-f]{32}(\.[A-Za-z0-9]{1,12})?$/;
/** A `%` that begins one of them. In any case: a disk may not tell the difference. */
const MARK = /^%(empty|file|same-|cut-)/i;

const WINDOWS_CHARACTERS = '<>:"|?*\\';
const WINDOWS_DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)/i;

const isControl = (code: number): boolean => code < 0x20 || code === 0x7f;

/** Whether `%XX` of this code is ever written, and so is read back. */
function isEscaped(code: number, platform: NamePlatform): boolean {
  const character = String.fromCharCode(code);
  if (isControl(code) || character === '%' || character === '.') return true;
  return platform === 'windows' && `${WINDOWS_CHARACTERS} ~cpanlCPANL`.includes(character);
}

/** Whether the `%` at the beginning of a text would be read back as more than itself. */
function readsAsMore(text: string, platform: NamePlatform): boolean {
  const code = /^%([0-9A-F]{2})/.exec(text)?.[1];
  return (code !== undefined && isEscaped(parseInt(code, 16), platform)) || MARK.test(text);
}

/** Positions of what cannot stand where it is, though the same character may elsewhere. */
function misplaced(segment: string, platform: NamePlatform): ReadonlySet<number> {
  const found = new Set<number>();
  if (segment === '.') found.add(0);
  if (segment === '..') found.add(0).add(1);
  if (segment.toLowerCase().endsWith(PARTIAL_SUFFIX))
    found.add(segment.length - PARTIAL_SUFFIX.length);
  if (platform === 'windows') {
    if (/[. ]$/.test(segment)) found.add(segment.length - 1);
    if (WINDOWS_DEVICE.test(segment)) found.add(0);
    // The short names that Windows gives to files with long ones.
    for (const { index } of segment.matchAll(/~(?=\d)/g)) found.add(index);
  }
  return found;
}

/** The name for one part of an object's name, of whatever length. */
export function encodeSegment(segment: string, platform: NamePlatform): string {
  if (segment === '') return EMPTY;
  const wrong = misplaced(segment, platform);
  let encoded = '';
  for (let index = 0; index < segment.length; index += 1) {
    const character = segment.charAt(index);
    const escape =
      wrong.has(index) ||
      isControl(segment.charCodeAt(index)) ||
      (character === '%' && readsAsMore(segment.slice(index, index + 7), platform)) ||
      (platform === 'windows' && WINDOWS_CHARACTERS.includes(character));
    encoded += escape
      ? `%${segment.charCodeAt(index).toString(16).toUpperCase().padStart(2, '0')}`
      : character;
  }
  return encoded;
}

/** The part of an object's name that a name stands for; null where it was cut: then only the report knows. */
export function decodeSegment(name: string, platform: NamePlatform): string | null {
  if (CUT.test(name)) return null;
  let encoded = name.replace(SAME, '');
  if (encoded.endsWith(FILE)) encoded = encoded.slice(0, -FILE.length);
  if (encoded === EMPTY) return '';
  return encoded.replace(/%([0-9A-F]{2})/g, (escape, code: string) => {
    const value = parseInt(code, 16);
    return isEscaped(value, platform) ? String.fromCharCode(value) : escape;
  });
}

/** What an object was called below its prefix, from the path of its file; null where a part was cut. */
export function objectPathOf(path: string, platform: NamePlatform): string | null {
  const parts = path.split('/').map((name) => decodeSegment(name, platform));
  return parts.includes(null) ? null : parts.join('/');
}

const hashOf = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);

/** Cuts a name that is too long, keeping its ending; its hash keeps it apart from others. */
function fitted(name: string): string {
  if (utf8Length(name) <= SEGMENT_LIMIT) return name;
  const ending = /\.[A-Za-z0-9]{1,12}$/.exec(name)?.[0] ?? '';
  const mark = `%cut-${hashOf(name, 32)}${ending}`;
  let kept = '';
  let left = SEGMENT_LIMIT - mark.length;
  for (const character of name) {
    left -= utf8Length(character);
    if (left < 0) break;
    kept += character;
  }
  return kept + mark;
}

/** A key that is the same for names that a folding disk may take for one. Rather too many than too few. */
const foldedKey = (name: string): string =>
  name.normalize('NFKD').toUpperCase().toLowerCase().normalize('NFC');

interface Node {
  readonly children: Map<string, Node>;
  file: boolean;
  folder: boolean;
}

const newNode = (): Node => ({ children: new Map(), file: false, folder: false });

export interface NameRules {
  readonly platform: NamePlatform;
  /** The disk takes `A` and `a`, composed and decomposed letters, for one name. */
  readonly foldsNames: boolean;
}

/** Where names go: `file` and `folder` give the path, with `/`, for a relative name that was given to {@link mapNames}. */
export interface MappedNames {
  file(name: string): string;
  folder(name: string): string;
}

/**
 * Gives each of a set of relative names a path of its own, which a disk by these rules can have and which does not leave its folder. No two
 * get the same path, nor a file the path of a folder that another needs. Names keep their paths where they can; of several that the disk
 * takes for one, folders come first, then the order given. `folders` are needed for themselves; those above files need not be named.
 */
export function mapNames(
  names: { readonly files: readonly string[]; readonly folders: readonly string[] },
  rules: NameRules,
): MappedNames {
  const root = newNode();
  const find = (name: string): Node => {
    let at = root;
    for (const segment of name.split('/')) {
      at.folder = true;
      let next = at.children.get(segment);
      if (next === undefined) at.children.set(segment, (next = newNode()));
      at = next;
    }
    return at;
  };
  for (const name of names.folders) find(name).folder = true;
  for (const name of names.files) find(name).file = true;

  const files = new Map<Node, string>();
  const folders = new Map<Node, string>();
  const work: { readonly node: Node; readonly below: string }[] = [{ node: root, below: '' }];
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    const { node, below } = next;
    const taken = new Set<string>();
    const nameOf = (encoded: string): string => {
      const name = fitted(encoded);
      if (!rules.foldsNames) return name;
      const key = foldedKey(name);
      if (!taken.has(key)) {
        taken.add(key);
        return name;
      }
      return fitted(`${encoded}%same-${hashOf(encoded, 16)}`);
    };
    for (const [segment, child] of node.children) {
      if (!child.folder) continue;
      const path = below + nameOf(encodeSegment(segment, rules.platform));
      folders.set(child, path);
      work.push({ node: child, below: `${path}/` });
    }
    for (const [segment, child] of node.children) {
      if (!child.file) continue;
      const mark = child.folder ? FILE : '';
      files.set(child, below + nameOf(encodeSegment(segment, rules.platform) + mark));
    }
  }
  const pathIn = (paths: ReadonlyMap<Node, string>, name: string): string => {
    const path = paths.get(find(name));
    if (path === undefined) throw new Error('The name was not among those that were mapped.');
    return path;
  };
  return {
    file: (name) => pathIn(files, name),
    folder: (name) => pathIn(folders, name),
  };
}
