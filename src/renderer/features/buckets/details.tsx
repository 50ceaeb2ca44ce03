import { Button, CopyButton, Menu, UnstyledButton } from '@mantine/core';
import type { ReactNode } from 'react';
import { isPacked } from '../../../shared/codings.ts';
import type { ObjectInfo } from '../../../shared/object-info.ts';
import type { KeyCard } from '../../../shared/key.ts';
import { useNavigation } from '../../app/navigation.ts';
import { problemOf } from '../../client.ts';
import { formatBytes, formatCount } from '../../common/format.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { keyOf } from './key-of.ts';
import { addressOf, lastSegment, type Place } from './place.ts';
import { usePlace } from './place-store.ts';
import { PreviewPanel } from './preview.tsx';
import { useStartTransfer } from './use-transfers.ts';
import { useWalk } from './use-walk.ts';

interface ShownPlace {
  readonly place: Place;
  readonly keys: readonly KeyCard[];
  /** A transfer was started. */
  readonly onStarted: () => void;
}

/** A folder: what can be done with it. */
export function FolderDetails({
  place,
  keys,
  prefix,
  onStarted,
}: ShownPlace & { readonly prefix: string }) {
  const address = addressOf(place, prefix);
  const goTo = usePlace((store) => store.goTo);
  const isShown = prefix === place.prefix;
  const { download, pickUpload } = useStartTransfer();
  const to = { address, key: place.key };
  const failed = [download, pickUpload].find(({ isError }) => isError);
  const started = {
    onSuccess: ({ ids }: { ids: readonly string[] }) => ids.length > 0 && onStarted(),
  };
  return (
    <aside className="object-detail" aria-label="Details">
      <h2 className="wrap">{lastSegment(prefix) ?? place.bucket}</h2>
      <CopiedAddress address={address} />
      <PrefixSize key={`${address} ${place.key ?? ''}`} address={address} account={place.key} />
      <div className="object-actions">
        {!isShown && (
          <Button size="compact-sm" variant="default" onClick={() => goTo(prefix)}>
            Open
          </Button>
        )}
        <Button
          size="compact-sm"
          variant="default"
          loading={download.isPending}
          onClick={() => download.mutate({ ...to, what: 'folder' }, started)}
        >
          Download…
        </Button>
        <Menu position="bottom-start">
          <Menu.Target>
            <Button size="compact-sm" variant="default" loading={pickUpload.isPending}>
              Upload…
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => pickUpload.mutate({ ...to, what: 'files' }, started)}>
              Files
            </Menu.Item>
            <Menu.Item onClick={() => pickUpload.mutate({ ...to, what: 'folders' }, started)}>
              Folders
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
        <UseInJob address={address} keyName={keyOf(place.key, keys)?.name ?? null} as="input" />
        <UseInJob address={address} keyName={keyOf(place.key, keys)?.name ?? null} as="output" />
      </div>
      {failed !== undefined && <ProblemAlert {...problemOf(failed.error)} />}
      {isShown && (
        <p className="object-hint dimmed">
          Drop files or folders on the table to upload them here.
        </p>
      )}
    </aside>
  );
}

/** An object: what the bucket tells of it, and its beginning. */
export function ObjectDetails({
  place,
  keys,
  object,
  onStarted,
}: ShownPlace & { readonly object: ObjectInfo }) {
  const address = addressOf(place, object.name);
  const { download } = useStartTransfer();
  return (
    <aside className="object-detail" aria-label="Details">
      <h2 className="wrap">{lastSegment(object.name) ?? object.name}</h2>
      <CopiedAddress address={address} />
      <dl className="facts">
        <Fact name="Size">
          {formatBytes(object.size)}
          {object.size >= 1_000 && (
            <span className="dimmed"> ({formatCount(object.size)} bytes)</span>
          )}
        </Fact>
        <Fact name="Changed">{wholeTime(object.updated)}</Fact>
        {object.contentType !== null && <Fact name="Type">{object.contentType}</Fact>}
        {object.contentEncoding !== null && (
          <Fact name="Encoding">
            {object.contentEncoding}
            {isPacked(object) && (
              <span className="dimmed">
                {' '}
                (stored packed, as the size says; a download unpacks it)
              </span>
            )}
          </Fact>
        )}
        <Fact name="Generation">{object.generation}</Fact>
        {object.crc32c !== '' && <Fact name="CRC32C">{object.crc32c}</Fact>}
        {object.md5 !== null && <Fact name="MD5">{object.md5}</Fact>}
        {object.componentCount !== null && (
          <Fact name="Composed of">{formatCount(object.componentCount)} parts</Fact>
        )}
      </dl>
      <div className="object-actions">
        <Button
          size="compact-sm"
          variant="default"
          loading={download.isPending}
          onClick={() =>
            download.mutate(
              { address, key: place.key, what: 'object' },
              { onSuccess: ({ ids }) => ids.length > 0 && onStarted() },
            )
          }
        >
          Download…
        </Button>
        <UseInJob address={address} keyName={keyOf(place.key, keys)?.name ?? null} as="input" />
      </div>
      {download.isError && <ProblemAlert {...problemOf(download.error)} />}
      <PreviewPanel key={`${address} ${object.generation}`} place={place} object={object} />
    </aside>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function CopiedAddress({ address }: { readonly address: string }) {
  return (
    <CopyButton value={address}>
      {({ copied, copy }) => (
        <UnstyledButton className="copied code" title="Copy the address" onClick={copy}>
          {address}
          <span className="dimmed">{copied ? ' copied' : ' copy'}</span>
        </UnstyledButton>
      )}
    </CopyButton>
  );
}

interface PrefixSizeProps {
  readonly address: string;
  readonly account: string | null;
}

/** How much lies below a prefix: counted when asked, page by page, until it is through or stopped. */
function PrefixSize({ address, account }: PrefixSizeProps) {
  const { walk, start, stop } = useWalk('buckets-measure');
  if (walk === null)
    return (
      <Button
        size="compact-sm"
        variant="default"
        className="size-button"
        onClick={() => start({ address, key: account })}
      >
        Count size
      </Button>
    );
  const amount = `${formatBytes(walk.bytes)} in ${formatCount(walk.objects)} ${walk.objects === 1 ? 'object' : 'objects'}`;
  return (
    <div className="size" role="status">
      <span>
        {walk.state === 'done'
          ? amount
          : `${amount}${walk.state === 'running' ? ' so far' : ' counted, not all'}`}
      </span>
      {walk.state === 'running' ? (
        <Button size="compact-xs" variant="default" onClick={stop}>
          Stop counting
        </Button>
      ) : (
        <Button
          size="compact-xs"
          variant="default"
          onClick={() => start({ address, key: account })}
        >
          Count again
        </Button>
      )}
      {walk.problem !== null && <ProblemAlert {...walk.problem} />}
    </div>
  );
}

interface UseInJobProps {
  readonly address: string;
  readonly keyName: string | null;
  readonly as: 'input' | 'output';
}

/** Takes an address to the form of a new job; not there while the form is not. */
function UseInJob({ address, keyName, as }: UseInJobProps) {
  const screens = useNavigation((navigation) => navigation.screens);
  const go = useNavigation((navigation) => navigation.go);
  if (!screens.has('new-job')) return null;
  const use = keyName === null ? { as, address } : { as, address, key: keyName };
  return (
    <Button size="compact-sm" variant="default" onClick={() => go({ screen: 'new-job', use })}>
      Use as job {as}
    </Button>
  );
}

/** In the user's own time, to the second. */
function wholeTime(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : time.toLocaleString('en-GB');
}
