import type { Target } from './router.ts';

/** What a request wants, in words that fault rules use. */
export const OPERATIONS = [
  'token',
  'security-token',
  'list',
  'metadata',
  'media',
  'upload-simple',
  'upload-start',
  'upload-chunk',
  'upload-query',
  'upload-cancel',
  'delete',
  'update',
  'compose',
  'copy',
  'bucket',
  'policy',
  'permissions',
  'other',
] as const;
export type Operation = (typeof OPERATIONS)[number];

const reads = (method: string): boolean => method === 'GET' || method === 'HEAD';

/** Names what a request wants. `contentRange`: its `Content-Range` header. */
export function operationOf(
  method: string,
  target: Target,
  query: URLSearchParams,
  contentRange: string | undefined,
): Operation {
  switch (target.service) {
    case 'token':
    case 'security-token':
      return target.service;
    case 'plain':
      return plainOperation(method, target.below[1], query);
    case 'download':
      return reads(method) ? 'media' : 'other';
    case 'upload':
      return uploadOperation(method, query, contentRange);
    case 'storage':
      return storageOperation(method, target.below, query);
    case 'project':
      return 'permissions';
    case 'key-set':
    case 'nothing':
      return 'other';
  }
}

function plainOperation(method: string, object: string, query: URLSearchParams): Operation {
  if (object === '') return method === 'GET' ? 'list' : 'bucket';
  if (reads(method)) return 'media';
  if (query.has('uploads')) return 'upload-start';
  const isPart = query.has('uploadId');
  if (method === 'DELETE') return isPart ? 'upload-cancel' : 'delete';
  if (method === 'PUT' || method === 'POST') return isPart ? 'upload-chunk' : 'upload-simple';
  return 'other';
}

function uploadOperation(
  method: string,
  query: URLSearchParams,
  contentRange: string | undefined,
): Operation {
  if (query.get('upload_id') !== null) {
    if (method === 'DELETE') return 'upload-cancel';
    return /^\s*bytes\s+\*\//.test(contentRange ?? '') ? 'upload-query' : 'upload-chunk';
  }
  if (method !== 'POST') return 'other';
  const type = query.get('uploadType');
  if (type === 'resumable') return 'upload-start';
  return type === 'media' || type === 'multipart' ? 'upload-simple' : 'other';
}

function storageOperation(
  method: string,
  below: readonly string[],
  query: URLSearchParams,
): Operation {
  const [b, , collection, object, action] = below;
  if (b !== 'b') return 'other';
  if (collection === undefined) return 'bucket';
  if (collection === 'iam') return object === 'testPermissions' ? 'permissions' : 'policy';
  if (collection !== 'o') return 'bucket';
  if (object === undefined) return reads(method) ? 'list' : 'other';
  if (action === 'compose') return 'compose';
  if (action === 'rewriteTo' || action === 'copyTo') return 'copy';
  if (reads(method)) return query.get('alt') === 'media' ? 'media' : 'metadata';
  if (method === 'DELETE') return 'delete';
  return method === 'PATCH' || method === 'PUT' ? 'update' : 'other';
}
