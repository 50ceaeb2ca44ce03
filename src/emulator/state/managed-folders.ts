import { join } from 'node:path';
import * as z from 'zod';
import { bindingsOf, policyBodySchema, readPolicy, type Policy } from '../iam/policy.ts';
import type { CustomRoles } from '../iam/roles.ts';
import { readLines, replaceLines } from './persistence.ts';

const lineSchema = z.object({
  bucket: z.string(),
  name: z.string(),
  timeCreated: z.string(),
  policy: policyBodySchema,
});

export interface ManagedFolder {
  readonly bucket: string;
  /** Ends with a slash. */
  readonly name: string;
  /** ISO 8601. */
  readonly timeCreated: string;
  readonly policy: Policy;
}

/** The managed folders of all buckets and their policies; kept in a file of the emulator's folder where that is to survive. */
export class ManagedFolders {
  readonly #file: string | null;
  readonly #folders = new Map<string, ManagedFolder>();

  private constructor(file: string | null) {
    this.#file = file;
  }

  static async open(root: string, keep: boolean, roles: CustomRoles): Promise<ManagedFolders> {
    const file = join(root, 'managed-folders.jsonl');
    const folders = new ManagedFolders(keep ? file : null);
    for (const line of keep ? await readLines(file, lineSchema) : []) {
      const read = readPolicy(line.policy, roles);
      const policy = read.ok ? read.policy : { bindings: [] };
      folders.#folders.set(keyOf(line.bucket, line.name), { ...line, policy });
    }
    return folders;
  }

  get(bucket: string, name: string): ManagedFolder | null {
    return this.#folders.get(keyOf(bucket, name)) ?? null;
  }

  /** Those of a bucket, by name. */
  of(bucket: string): readonly ManagedFolder[] {
    return [...this.#folders.values()]
      .filter((folder) => folder.bucket === bucket)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The policies that hold for a path: those of all folders above it. */
  policiesFor(bucket: string, path: string): readonly Policy[] {
    return this.of(bucket)
      .filter(({ name }) => path.startsWith(name))
      .map(({ policy }) => policy);
  }

  async put(folder: ManagedFolder): Promise<void> {
    this.#folders.set(keyOf(folder.bucket, folder.name), folder);
    await this.#keep();
  }

  async remove(bucket: string, name: string): Promise<void> {
    this.#folders.delete(keyOf(bucket, name));
    await this.#keep();
  }

  async #keep(): Promise<void> {
    if (this.#file === null) return;
    const lines = [...this.#folders.values()].map(({ policy, ...folder }) => ({
      ...folder,
      policy: { bindings: bindingsOf(policy) },
    }));
    await replaceLines(this.#file, lines);
  }
}

const keyOf = (bucket: string, name: string): string => `${bucket}/${name}`;
