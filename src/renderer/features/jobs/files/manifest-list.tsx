import { CopyButton } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef } from 'react';
import { hasEnded } from '../../../../shared/job-status.ts';
import type { JobView } from '../../../../shared/views.ts';
import { useNavigation } from '../../../app/navigation.ts';
import { ask, problemOf } from '../../../client.ts';
import { formatBytes, plural } from '../../../common/format.ts';

const ROW = 26;

/** The objects that a job uploaded, by its manifest, each with its address. */
export function ManifestList({ job }: { readonly job: JobView }) {
  const { id, output } = job;
  const pages = useInfiniteQuery({
    // It is written at the end of an upload.
    queryKey: ['job-manifest', id, job.status.uploaded?.objects ?? -1, job.state],
    queryFn: ({ pageParam }) => ask('jobs-manifest', { id, offset: pageParam }),
    initialPageParam: 0,
    getNextPageParam: (last, all) => {
      const known = all.reduce((sum, page) => sum + (page?.objects.length ?? 0), 0);
      return last === null || last.objects.length === 0 || known >= last.total ? undefined : known;
    },
  });
  const objects = useMemo(
    () => pages.data?.pages.flatMap((page) => page?.objects ?? []) ?? [],
    [pages.data],
  );
  const first = pages.data?.pages[0] ?? null;
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: objects.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  const items = rows.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = pages;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && lastShown >= objects.length - 100)
      void fetchNextPage();
  }, [lastShown, objects.length, hasNextPage, isFetchingNextPage, fetchNextPage]);

  if (pages.isError) return <p className="tab-empty">{problemOf(pages.error).message}</p>;
  if (first === null)
    return (
      <p className="tab-empty">
        {pages.isPending
          ? 'Reading…'
          : output === null
            ? 'This job uploads nothing.'
            : hasEnded(job.state) && job.state !== 'finished'
              ? 'There is no list: it is written when the whole output is uploaded.'
              : 'The list of objects is written when the whole output is uploaded.'}
      </p>
    );
  const prefix = output === null ? '' : output.slice(`gs://${first.bucket}/`.length);
  return (
    <>
      <p className="files-sum dimmed">
        {plural(first.total, 'object')}, {formatBytes(first.bytes)} in{' '}
        <Address
          address={output ?? `gs://${first.bucket}/`}
          text={output ?? first.bucket}
          keyId={first.key}
        />
      </p>
      <div ref={box} className="objects" tabIndex={0} role="region" aria-label="Uploaded objects">
        <ul style={{ height: rows.getTotalSize() }}>
          {items.map((item) => {
            const object = objects[item.index];
            if (object === undefined) return null;
            const address = `gs://${first.bucket}/${object.name}`;
            const name = object.name.startsWith(prefix)
              ? object.name.slice(prefix.length)
              : object.name;
            return (
              <li key={item.key} style={{ transform: `translateY(${item.start}px)` }}>
                <Address
                  address={address}
                  below={output ?? `gs://${first.bucket}/`}
                  text={name}
                  keyId={first.key}
                />
                <span className="tree-size">{formatBytes(object.size)}</span>
              </li>
            );
          })}
        </ul>
      </div>
    </>
  );
}

interface AddressProps {
  readonly address: string;
  /** Of an object: the prefix that it is shown below. */
  readonly below?: string;
  readonly text: string;
  /** What looks there; null: no key. */
  readonly keyId: string | null;
}

/** An address leads into the bucket where that can be browsed; it is copied otherwise. */
function Address({ address, below, text, keyId }: AddressProps) {
  const canBrowse = useNavigation((navigation) => navigation.screens.has('buckets'));
  const go = useNavigation((navigation) => navigation.go);
  if (canBrowse)
    return (
      <button
        type="button"
        className="address"
        title={`Open ${address}`}
        onClick={() =>
          go({
            screen: 'buckets',
            address,
            key: keyId,
            ...(below === undefined ? {} : { below }),
          })
        }
      >
        {text}
      </button>
    );
  return (
    <CopyButton value={address} timeout={1_500}>
      {({ copied, copy }) => (
        <button type="button" className="address" title={`Copy ${address}`} onClick={copy}>
          {copied ? 'Copied' : text}
        </button>
      )}
    </CopyButton>
  );
}
