import type { TokenSource } from '../../google/access-token.ts';
import type { StorageAccess } from '../../google/client.ts';
import type { RetryNews } from '../../google/retry.ts';
import { getObject, listPage, type ListPage } from '../../google/listing.ts';
import { readObjectStart, type ObjectStart } from '../../google/read-object.ts';
import type { GcsAddress } from '../../shared/address.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { ObjectInfo } from '../../shared/object-info.ts';
import type { KeyReason } from '../../shared/key-use.ts';
import { ok, type Result } from '../../shared/problem.ts';
import type { KeyService } from '../keys/service.ts';
import { measureBelow, searchBelow, type Found, type Walked } from './walk.ts';

export interface BucketRequest {
  /** For a listing the path is taken as a prefix, for an object as its name: byte for byte. */
  readonly address: GcsAddress;
  /** A key's name, id or e-mail address; null sends no credential. */
  readonly key: string | null;
  readonly signal: AbortSignal;
  /** What is taken down of the key's use; default `browse`. */
  readonly reason?: KeyReason;
  /** Told of each wait before another attempt. */
  readonly onRetry?: (news: RetryNews) => void;
  /** For all attempts of the question itself, milliseconds; default that of `withRetry`. */
  readonly deadlineMs?: number;
}

export interface BucketListRequest extends BucketRequest {
  /** Everything below, instead of one level. */
  readonly recursive: boolean;
  readonly pageToken?: string;
  readonly pageSize?: number;
}

/** All errors: those of the vault and of minting besides those named. */
export interface BucketService {
  /** One page. Errors: those of `listPage`. */
  listPage(request: BucketListRequest): Promise<Result<ListPage>>;
  /** One object's metadata. Errors: those of `getObject`. */
  object(request: BucketRequest): Promise<Result<ObjectInfo>>;
  /** The first bytes of one object. Errors: those of `readObjectStart`. */
  readStart(
    request: BucketRequest & { readonly generation?: string; readonly maxBytes: number },
  ): Promise<Result<ObjectStart>>;
  /** Counts what lies below, telling how far it is. Errors: those of `listPage`. */
  measure(request: BucketRequest, onProgress: (walked: Walked) => void): Promise<Result<Walked>>;
  /** Looks through all names below. Errors: those of `listPage`. */
  search(
    request: BucketRequest & { readonly text: string; readonly maxMatches: number },
    onProgress: (walked: Walked, fresh: readonly ObjectInfo[]) => void,
  ): Promise<Result<Found>>;
}

export function bucketService(keys: KeyService, endpoints: GoogleEndpoints): BucketService {
  const tokensOf = async ({
    key,
    reason = 'browse',
  }: BucketRequest): Promise<Result<TokenSource | null>> => {
    if (key === null) return ok(null);
    const card = await keys.find(key);
    return card.ok ? keys.tokenSource(card.value, 'read', reason) : card;
  };
  /** Asks with the tokens of the request's key. */
  const withAccess = async <T>(
    request: BucketRequest,
    ask: (access: StorageAccess & { readonly bucket: string }) => Promise<Result<T>>,
  ): Promise<Result<T>> => {
    const tokens = await tokensOf(request);
    if (!tokens.ok) return tokens;
    const { bucket } = request.address;
    const { signal, onRetry, deadlineMs } = request;
    return ask({
      endpoints,
      tokens: tokens.value,
      signal,
      bucket,
      ...(onRetry === undefined ? {} : { onRetry }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
  };
  return {
    listPage: (request) =>
      withAccess(request, (access) =>
        listPage({
          ...access,
          prefix: request.address.path,
          delimiter: !request.recursive,
          ...(request.pageToken === undefined ? {} : { pageToken: request.pageToken }),
          ...(request.pageSize === undefined ? {} : { pageSize: request.pageSize }),
        }),
      ),
    object: (request) =>
      withAccess(request, (access) => getObject({ ...access, name: request.address.path })),
    readStart: (request) =>
      withAccess(request, (access) =>
        readObjectStart({
          ...access,
          name: request.address.path,
          maxBytes: request.maxBytes,
          ...(request.generation === undefined ? {} : { generation: request.generation }),
        }),
      ),
    measure: (request, onProgress) =>
      withAccess(request, (access) =>
        measureBelow({ ...access, prefix: request.address.path }, onProgress),
      ),
    search: (request, onProgress) =>
      withAccess(request, (access) =>
        searchBelow(
          {
            ...access,
            prefix: request.address.path,
            text: request.text,
            maxMatches: request.maxMatches,
          },
          onProgress,
        ),
      ),
  };
}
