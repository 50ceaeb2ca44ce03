import type { BucketRecord, ObjectRecord } from '../state/model.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Changes with every generation and metageneration. */
export function objectEtag(object: ObjectRecord): string {
  return base64(`${object.generation}/${object.metageneration}`);
}

const below = (object: ObjectRecord): string =>
  `storage/v1/b/${object.bucket}/o/${encodeURIComponent(object.name)}`;

/** An object as the JSON API gives it (https://cloud.google.com/storage/docs/json_api/v1/objects). */
export function objectResource(object: ObjectRecord, origin: string): Record<string, unknown> {
  const { contentType, storageClass, metadata, ...attributes } = object.attributes;
  return {
    kind: 'storage#object',
    id: `${object.bucket}/${object.name}/${object.generation}`,
    selfLink: `${origin}/${below(object)}`,
    mediaLink: `${origin}/download/${below(object)}?generation=${object.generation}&alt=media`,
    name: object.name,
    bucket: object.bucket,
    generation: String(object.generation),
    metageneration: String(object.metageneration),
    contentType: contentType ?? 'application/octet-stream',
    storageClass: storageClass ?? 'STANDARD',
    size: String(object.size),
    ...(object.md5 === null ? {} : { md5Hash: object.md5 }),
    crc32c: object.crc32c,
    ...(object.componentCount === null ? {} : { componentCount: object.componentCount }),
    etag: objectEtag(object),
    timeCreated: object.timeCreated,
    updated: object.updated,
    timeStorageClassUpdated: object.timeCreated,
    timeFinalized: object.timeCreated,
    ...attributes,
    ...(metadata === undefined ? {} : { metadata }),
  };
}

export function bucketResource(bucket: BucketRecord, origin: string): Record<string, unknown> {
  return {
    kind: 'storage#bucket',
    id: bucket.name,
    selfLink: `${origin}/storage/v1/b/${bucket.name}`,
    name: bucket.name,
    projectNumber: '123456789012',
    metageneration: String(bucket.metageneration),
    location: bucket.location,
    locationType: bucket.location.includes('-') ? 'region' : 'multi-region',
    storageClass: bucket.storageClass,
    etag: base64(`bucket/${bucket.metageneration}`),
    timeCreated: bucket.timeCreated,
    updated: bucket.updated,
    iamConfiguration: {
      bucketPolicyOnly: { enabled: bucket.uniformAccess },
      uniformBucketLevelAccess: { enabled: bucket.uniformAccess },
      publicAccessPrevention: 'inherited',
    },
    ...(Object.keys(bucket.labels).length === 0 ? {} : { labels: bucket.labels }),
  };
}
