import path from 'node:path';
import type { GcsAddress } from '../../shared/address.ts';
import { addressOfText, withoutEdges } from '../../shared/read-address.ts';
import { fail, ok, type Problem, type Result } from '../../shared/problem.ts';
import { usageProblem } from '../exit.ts';

/** What a copy is from and to. Local paths are absolute; `folderMeant` when they were written with a slash at their end. */
export type Copy =
  | {
      readonly direction: 'download';
      readonly source: GcsAddress;
      readonly target: string;
      readonly folderMeant: boolean;
    }
  | { readonly direction: 'upload'; readonly source: string; readonly target: GcsAddress };

/** Reads the two sides of `cp`. Pure. Errors: `input.usage`, `input.address`. */
export function decideCopy(source: string, target: string, folder: string): Result<Copy> {
  const fromBucket = isAddress(source);
  const toBucket = isAddress(target);
  if (fromBucket && toBucket)
    return fail(
      usageProblem(
        'Both sides are in buckets.',
        'Copy to a folder of this machine first, then from there; between buckets `gcloud storage cp` copies without the detour.',
      ),
    );
  if (!fromBucket && !toBucket)
    return fail(
      usageProblem(
        'Neither side is in a bucket.',
        'One of them must be an address such as gs://bucket/path; use cp for local files.',
      ),
    );
  if (fromBucket) {
    const address = addressOfText(source);
    if (!address.ok) return address;
    return ok({
      direction: 'download',
      source: address.value,
      target: path.resolve(folder, target),
      folderMeant: /[/\\]$/.test(target) || target === '.' || target === '..',
    });
  }
  const address = addressOfText(target, 'write');
  if (!address.ok) return address;
  return ok({ direction: 'upload', source: path.resolve(folder, source), target: address.value });
}

/** Anything with a scheme is meant as an address, so that `gcs://b` and `https://...` are told what is wrong with them. */
function isAddress(text: string): boolean {
  return addressOfText(text).ok || /^[\W_]*(gc?s|s3|https?):/i.test(withoutEdges(text));
}

/** The object name for one file: the address itself, or below it where it ends with a slash or is a whole bucket. Pure. */
export function objectNameFor(target: GcsAddress, file: string): string {
  return target.path === '' || target.path.endsWith('/')
    ? `${target.path}${path.basename(file)}`
    : target.path;
}

/** What lies in the place of the one file or object that the user named is a mistake of the command: bad input, either way. Pure. */
export function asInput(problem: Problem): Problem {
  return problem.code === 'transfer.exists' || problem.code === 'storage.exists'
    ? { ...problem, code: 'input.target-exists' }
    : problem;
}
