import { isEmptyObject, totalOf, type ObjectInfo } from '../shared/object-info.ts';
import type { InputTarget } from '../shared/plan.ts';
import { mapNames, type NamePlatform } from './name-mapping.ts';

export interface PlannedDownload {
  readonly object: ObjectInfo;
  /** Below the destination, with `/`. */
  readonly path: string;
  /** The path is not the object's own name below the prefix: docs/names.md. */
  readonly mapped: boolean;
}

/** An object that gets no file, and why: a sentence without the object's name. */
export interface RefusedObject {
  readonly object: string;
  readonly reason: string;
}

/** A folder that a marker (`prefix/name/`, empty) asks for. */
export interface PlannedFolder {
  readonly object: string;
  /** Below the destination, with `/`; empty for the destination itself. */
  readonly path: string;
  readonly mapped: boolean;
}

export interface DownloadPlan {
  readonly files: readonly PlannedDownload[];
  readonly folders: readonly PlannedFolder[];
  readonly refused: readonly RefusedObject[];
  /** Of the files, as far as it is told. */
  readonly bytes: number;
  readonly objects: number;
}

/** What the disk at the destination is like. */
export interface DownloadPlanOptions {
  /** It takes `A` and `a`, composed and decomposed letters, for one name (macOS, Windows). */
  readonly foldsNames?: boolean;
  readonly platform?: NamePlatform;
}

/** The name of an object's file: what follows the prefix of a folder, the last part of a single object's name. */
function relativeNameOf(name: string, target: InputTarget): string {
  return target.kind === 'folder'
    ? name.slice(target.prefix.length)
    : name.slice(name.lastIndexOf('/') + 1);
}

/** Why an object can be no file at all; null where it can. */
export function refusalReason(object: ObjectInfo): string | null {
  if (/\p{Surrogate}/u.test(object.name)) return 'its name is not Unicode';
  if (object.crc32c === '' && object.md5 === null)
    return 'no checksum (CRC32C or MD5) of it is told, and nothing is believed without one; so it is with objects that are encrypted with a key of their owner';
  return null;
}

/**
 * Decides where each object of a listing goes. Pure. No path of the plan leaves the destination, and no two are the same file: a name that
 * cannot be a file's is mapped by the rule of name-mapping.ts. What can be no file is refused with the reason, and the others still arrive.
 * Object names are hostile input.
 */
export function planDownload(
  objects: readonly ObjectInfo[],
  target: InputTarget,
  options: DownloadPlanOptions = {},
): DownloadPlan {
  const refused: RefusedObject[] = [];
  const files: { readonly object: ObjectInfo; readonly name: string }[] = [];
  const markers: { readonly object: string; readonly name: string }[] = [];
  for (const object of objects) {
    const reason =
      target.kind === 'folder' && !object.name.startsWith(target.prefix)
        ? 'it does not lie below the prefix'
        : refusalReason(object);
    const name = relativeNameOf(object.name, target);
    if (reason !== null) refused.push({ object: object.name, reason });
    else if (isEmptyObject(object) && (name === '' || name.endsWith('/')))
      markers.push({ object: object.name, name: name.slice(0, -1) });
    else files.push({ object, name });
  }
  // The marker of the destination itself, `prefix/`, needs no folder but that.
  const isRoot = (marker: { readonly object: string }) =>
    relativeNameOf(marker.object, target) === '';
  const paths = mapNames(
    {
      files: files.map(({ name }) => name),
      folders: markers.filter((marker) => !isRoot(marker)).map(({ name }) => name),
    },
    { platform: options.platform ?? 'posix', foldsNames: options.foldsNames ?? false },
  );
  const planned = files.map(({ object, name }): PlannedDownload => {
    const path = paths.file(name);
    return { object, path, mapped: path !== name };
  });
  return {
    files: planned,
    folders: markers.map((marker): PlannedFolder => {
      const path = isRoot(marker) ? '' : paths.folder(marker.name);
      return { object: marker.object, path, mapped: path !== marker.name };
    }),
    refused,
    bytes: totalOf(files.map(({ object }) => object)).bytes,
    objects: files.length,
  };
}
