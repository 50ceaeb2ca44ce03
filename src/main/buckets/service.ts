import { listPage, type ListPage } from '../../google/listing.ts';
import type { GcsAddress } from '../../shared/address.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import { ok, type Result } from '../../shared/problem.ts';
import type { KeyService } from '../keys/service.ts';

export interface BucketListRequest {
  /** The path is taken as a prefix, byte for byte. */
  readonly address: GcsAddress;
  /** A key's name, id or e-mail address; null sends no credential. */
  readonly key: string | null;
  /** Everything below, instead of one level. */
  readonly recursive: boolean;
  readonly pageToken?: string;
  readonly pageSize?: number;
  readonly signal: AbortSignal;
}

export interface BucketService {
  /** One page. Errors: those of `listPage`, of the vault and of minting. */
  listPage(request: BucketListRequest): Promise<Result<ListPage>>;
}

export function bucketService(keys: KeyService, endpoints: GoogleEndpoints): BucketService {
  return {
    async listPage({ address, key, recursive, pageToken, pageSize, signal }) {
      const card = key === null ? ok(null) : await keys.find(key);
      if (!card.ok) return card;
      const tokens = card.value === null ? ok(null) : await keys.tokenSource(card.value, 'read');
      if (!tokens.ok) return tokens;
      return listPage({
        endpoints,
        tokens: tokens.value,
        signal,
        bucket: address.bucket,
        prefix: address.path,
        delimiter: !recursive,
        ...(pageToken === undefined ? {} : { pageToken }),
        ...(pageSize === undefined ? {} : { pageSize }),
      });
    },
  };
}
