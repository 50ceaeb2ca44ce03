import { randomUUID } from 'node:crypto';
import { renameSync } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { bindingsOf, readPolicy, withBinding, type Binding, type Policy } from '../iam/policy.ts';
import type { CustomRoles } from '../iam/roles.ts';
import type { ErrorReply } from '../reply.ts';
import { isError } from '../reply.ts';
import type { BucketRecord, JournalLine, ObjectMetadata, ObjectRecord } from './model.ts';
import { compact, indexOf, Journal, readIndex, type Folder } from './persistence.ts';

interface Bucket {
  record: BucketRecord;
  policy: Policy;
  readonly objects: Map<string, ObjectRecord>;
  /** The names in UTF-8 order, until one comes or goes. */
  sorted: readonly string[] | null;
}

/** Content that arrived whole, in a file of `incoming/`. */
export interface Content {
  readonly path: string;
  readonly size: number;
  readonly crc32c: string;
  readonly md5: string | null;
  readonly componentCount: number | null;
}

/** Generations up to here are of {@link Store.fill}: they have no content. Others are times. */
export const MOST_FILLED = 10_000_000;

/** Orders strings as their UTF-8 bytes do: by code point. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const x = a.charCodeAt(index);
    const y = b.charCodeAt(index);
    if (x === y) continue;
    const surrogates = Number(x >= 0xd800 && x < 0xe000) - Number(y >= 0xd800 && y < 0xe000);
    return surrogates === 0 ? x - y : surrogates;
  }
  return a.length - b.length;
}

/** Buckets, objects and policies: the index in memory, contents in files, both kept in `folder` where it is to survive. */
export class Store {
  readonly #folder: Folder;
  readonly #journal: Journal;
  readonly #buckets = new Map<string, Bucket>();
  /** Bindings given on the command line, by bucket; it need not exist. */
  readonly #standing: ReadonlyMap<string, readonly Binding[]>;
  #lastGeneration = 0;

  private constructor(
    folder: Folder,
    keep: boolean,
    standing: ReadonlyMap<string, readonly Binding[]>,
  ) {
    this.#folder = folder;
    this.#journal = new Journal(keep ? indexOf(folder) : null);
    this.#standing = standing;
  }

  /** Opens the folder. `keep`: what it holds is read, and what comes is written to its index. */
  static async open(options: {
    readonly folder: Folder;
    readonly keep: boolean;
    readonly standing: ReadonlyMap<string, readonly Binding[]>;
    readonly roles: CustomRoles;
  }): Promise<Store> {
    const { folder } = options;
    const store = new Store(folder, options.keep, options.standing);
    if (options.keep) {
      for (const line of await readIndex(folder)) store.#apply(line, options.roles);
      for (const [name, bucket] of store.#buckets)
        bucket.policy = store.#withStanding(name, bucket.policy);
      await compact(folder, store.#lines(), store.#generations());
    }
    return store;
  }

  #apply(line: JournalLine, roles: CustomRoles): void {
    switch (line.kind) {
      case 'bucket': {
        const known = this.#buckets.get(line.bucket.name);
        if (known === undefined) this.#add(line.bucket);
        else known.record = line.bucket;
        return;
      }
      case 'bucket-deleted':
        this.#buckets.delete(line.name);
        return;
      case 'policy': {
        const bucket = this.#buckets.get(line.bucket);
        // A role that this start was not given any more grants nothing: its binding is left out.
        const bindings = line.policy.bindings.flatMap((binding) => {
          const read = readPolicy({ bindings: [binding] }, roles);
          return read.ok ? read.policy.bindings : [];
        });
        if (bucket !== undefined) bucket.policy = { bindings };
        return;
      }
      case 'object':
        this.#put(line.object);
        this.#lastGeneration = Math.max(this.#lastGeneration, line.object.generation);
        return;
      case 'object-deleted':
        this.#drop(line.bucket, line.name);
    }
  }

  #lines(): JournalLine[] {
    return [...this.#buckets.values()].flatMap((bucket) => [
      { kind: 'bucket' as const, bucket: bucket.record },
      this.#policyLine(bucket),
      ...[...bucket.objects.values()].map((object) => ({ kind: 'object' as const, object })),
    ]);
  }

  #policyLine(bucket: Bucket): JournalLine {
    return {
      kind: 'policy',
      bucket: bucket.record.name,
      policy: { bindings: bindingsOf(bucket.policy) },
    };
  }

  #generations(): ReadonlySet<string> {
    return new Set(
      [...this.#buckets.values()].flatMap((bucket) =>
        [...bucket.objects.values()].map((object) => String(object.generation)),
      ),
    );
  }

  #add(record: BucketRecord): Bucket {
    const bucket: Bucket = { record, policy: { bindings: [] }, objects: new Map(), sorted: null };
    this.#buckets.set(record.name, bucket);
    return bucket;
  }

  #withStanding(name: string, policy: Policy): Policy {
    return (this.#standing.get(name) ?? []).reduce(withBinding, policy);
  }

  #put(object: ObjectRecord): void {
    const bucket = this.#buckets.get(object.bucket);
    if (bucket === undefined) return;
    if (!bucket.objects.has(object.name)) bucket.sorted = null;
    bucket.objects.set(object.name, object);
  }

  #drop(bucketName: string, name: string): void {
    const bucket = this.#buckets.get(bucketName);
    if (bucket?.objects.delete(name) === true) bucket.sorted = null;
  }

  #contentPath(object: ObjectRecord): string {
    return join(this.#folder.content, String(object.generation));
  }

  /** Microseconds since 1970, larger than every one before. */
  #nextGeneration(): number {
    this.#lastGeneration = Math.max(this.#lastGeneration + 1, Date.now() * 1000);
    return this.#lastGeneration;
  }

  bucket(name: string): BucketRecord | null {
    return this.#buckets.get(name)?.record ?? null;
  }

  buckets(): readonly BucketRecord[] {
    return [...this.#buckets.values()]
      .map((bucket) => bucket.record)
      .sort((a, b) => compareUtf8(a.name, b.name));
  }

  policy(bucket: string): Policy | null {
    return this.#buckets.get(bucket)?.policy ?? null;
  }

  object(bucket: string, name: string): ObjectRecord | null {
    return this.#buckets.get(bucket)?.objects.get(name) ?? null;
  }

  /** The objects that came from resumable sessions, by the session's file. */
  fromSessions(): ReadonlyMap<string, ObjectRecord> {
    const objects = [...this.#buckets.values()].flatMap((bucket) => [...bucket.objects.values()]);
    return new Map(
      objects.flatMap((object) => (object.session === undefined ? [] : [[object.session, object]])),
    );
  }

  /** The names of a bucket's objects in UTF-8 order. */
  names(bucketName: string): readonly string[] {
    const bucket = this.#buckets.get(bucketName);
    if (bucket === undefined) return [];
    bucket.sorted ??= [...bucket.objects.keys()].sort(compareUtf8);
    return bucket.sorted;
  }

  async createBucket(record: BucketRecord): Promise<void> {
    const bucket = this.#add(record);
    bucket.policy = this.#withStanding(record.name, bucket.policy);
    await Promise.all([
      this.#journal.append({ kind: 'bucket', bucket: record }),
      this.#journal.append(this.#policyLine(bucket)),
    ]);
  }

  async updateBucket(record: BucketRecord): Promise<void> {
    const bucket = this.#buckets.get(record.name);
    if (bucket === undefined) return;
    bucket.record = record;
    await this.#journal.append({ kind: 'bucket', bucket: record });
  }

  async deleteBucket(name: string): Promise<void> {
    this.#buckets.delete(name);
    await this.#journal.append({ kind: 'bucket-deleted', name });
  }

  async setPolicy(name: string, policy: Policy): Promise<void> {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return;
    bucket.policy = policy;
    await this.#journal.append(this.#policyLine(bucket));
  }

  /** A new path for content on its way. */
  incomingPath(): string {
    return join(this.#folder.incoming, randomUUID());
  }

  /** Opens the content of a generation for reading; an open one stays readable when the object is replaced. */
  openContent(object: ObjectRecord): Promise<FileHandle> {
    return open(object.generation <= MOST_FILLED ? devNull : this.#contentPath(object), 'r');
  }

  /** Makes a bucket with empty objects `data/0000000.bin` and so on, in memory alone: as many as one likes to list. */
  fill(name: string, count: number, project: string): void {
    const time = '2026-01-01T00:00:00.000Z';
    const record: BucketRecord = {
      name,
      project,
      location: 'US',
      storageClass: 'STANDARD',
      uniformAccess: true,
      labels: {},
      metageneration: 1,
      timeCreated: time,
      updated: time,
    };
    const bucket = this.#buckets.get(name) ?? this.#add(record);
    bucket.policy = this.#withStanding(name, bucket.policy);
    for (let index = 0; index < count; index += 1)
      this.#put({
        bucket: name,
        name: `data/${String(index).padStart(7, '0')}.bin`,
        generation: index + 1,
        metageneration: 1,
        size: 0,
        crc32c: 'AAAAAA==',
        md5: null,
        componentCount: null,
        attributes: {},
        timeCreated: time,
        updated: time,
      });
  }

  /**
   * Makes content an object under its name. `check` is asked with the object that has the name now, in the same turn as the swap, so nothing can
   * come between; its refusal leaves all as it was. The content file is used up either way. `session`: the file of the resumable session
   * that it comes from, by which a restart knows it as completed.
   */
  async commit(
    bucket: string,
    name: string,
    content: Content,
    attributes: ObjectMetadata,
    check: (existing: ObjectRecord | null) => ErrorReply | null,
    session?: string,
  ): Promise<ObjectRecord | ErrorReply> {
    const now = new Date().toISOString();
    const object: ObjectRecord = {
      bucket,
      name,
      generation: this.#nextGeneration(),
      metageneration: 1,
      size: content.size,
      crc32c: content.crc32c,
      md5: content.md5,
      componentCount: content.componentCount,
      attributes,
      timeCreated: now,
      updated: now,
      ...(session === undefined ? {} : { session }),
    };
    renameSync(content.path, this.#contentPath(object));
    const existing = this.object(bucket, name);
    const refusal = check(existing);
    if (isError(refusal)) {
      await rm(this.#contentPath(object), { force: true });
      return refusal;
    }
    this.#put(object);
    await this.#journal.append({ kind: 'object', object });
    if (existing !== null) await rm(this.#contentPath(existing), { force: true });
    return object;
  }

  /** Replaces the attributes of a generation; its content stays. */
  async updateObject(object: ObjectRecord, attributes: ObjectMetadata): Promise<ObjectRecord> {
    const updated: ObjectRecord = {
      ...object,
      attributes,
      metageneration: object.metageneration + 1,
      updated: new Date().toISOString(),
    };
    this.#put(updated);
    await this.#journal.append({ kind: 'object', object: updated });
    return updated;
  }

  async deleteObject(object: ObjectRecord): Promise<void> {
    this.#drop(object.bucket, object.name);
    await this.#journal.append({
      kind: 'object-deleted',
      bucket: object.bucket,
      name: object.name,
    });
    await rm(this.#contentPath(object), { force: true });
  }
}
