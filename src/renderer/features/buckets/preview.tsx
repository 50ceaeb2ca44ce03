import { Loader } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { ObjectInfo } from '../../../shared/object-info.ts';
import { PREVIEW_BYTES } from '../../../shared/ipc/buckets.ts';
import { problemOf } from '../../client.ts';
import { formatBytes, plural } from '../../common/format.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { hexDump, imageTypeOf, type Preview } from './preview-kind.ts';
import type { Place } from './place.ts';
import { usePreview } from './use-buckets.ts';

interface PreviewPanelProps {
  readonly place: Pick<Place, 'bucket' | 'key'>;
  readonly object: ObjectInfo;
}

/** What an object's first bytes show. */
export function PreviewPanel({ place, object }: PreviewPanelProps) {
  const preview = usePreview(place, object);
  /** The bytes that were no image after all. */
  const [broken, setBroken] = useState<Uint8Array | null>(null);
  if (preview.isPending)
    return <Loader size="xs" aria-label="The preview is being read" className="preview-wait" />;
  if (preview.isError) return <ProblemAlert {...problemOf(preview.error)} />;
  const { complete } = preview.data;
  const isBroken = preview.data.shown.kind === 'image' && broken === preview.data.shown.bytes;
  const shown: Preview = isBroken
    ? { kind: 'binary', dump: hexDump(broken.subarray(0, 512)) }
    : preview.data.shown;
  return (
    <section className="preview" aria-label="Preview">
      <p className="preview-note dimmed">
        {isBroken
          ? 'Not an image that this window can show: its first 512 bytes'
          : noteOf(object, shown, complete)}
      </p>
      <Shown shown={shown} name={object.name} onBroken={setBroken} />
    </section>
  );
}

function noteOf(object: ObjectInfo, shown: Preview, complete: boolean): string {
  switch (shown.kind) {
    case 'empty':
      return 'The object is empty.';
    case 'image':
      return 'Image';
    case 'table':
      return `Table, ${shown.cut ? 'the first ' : ''}${plural(shown.rows.length, 'row')}`;
    case 'text':
      return complete
        ? shown.format === 'JSON'
          ? 'JSON'
          : 'Text'
        : `Text, the first ${formatBytes(PREVIEW_BYTES)}`;
    case 'binary':
      return imageTypeOf(object) === null
        ? 'Not text: its first 512 bytes'
        : 'An image too large to show here: its first 512 bytes';
  }
}

interface ShownProps {
  readonly shown: Preview;
  readonly name: string;
  /** The browser could make no image of these bytes. */
  readonly onBroken: (bytes: Uint8Array) => void;
}

function Shown({ shown, name, onBroken }: ShownProps) {
  switch (shown.kind) {
    case 'empty':
      return null;
    case 'image':
      return (
        <ImagePreview
          bytes={shown.bytes}
          type={shown.type}
          name={name}
          onBroken={() => onBroken(shown.bytes)}
        />
      );
    case 'table':
      return (
        <div className="preview-box" tabIndex={0} role="group" aria-label="Rows">
          <table className="preview-table">
            <thead>
              <tr>
                {shown.header.map((cell, index) => (
                  <th key={index} scope="col">
                    {cell}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.rows.map((row, index) => (
                <tr key={index}>
                  {row.map((cell, column) => (
                    <td key={column}>{cell}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    case 'text':
    case 'binary':
      return (
        <pre className="preview-box code" tabIndex={0} aria-label="Content">
          {shown.kind === 'text' ? shown.text : shown.dump}
        </pre>
      );
  }
}

interface ImagePreviewProps {
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly name: string;
  readonly onBroken: () => void;
}

/** As a picture alone: an SVG runs no script and loads nothing there. */
function ImagePreview({ bytes, type, name, onBroken }: ImagePreviewProps) {
  const address = useMemo(() => `data:${type};base64,${toBase64(bytes)}`, [bytes, type]);
  return (
    <img className="preview-image" src={address} alt={`Preview of ${name}`} onError={onBroken} />
  );
}

function toBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += 32_768)
    pieces.push(String.fromCharCode(...bytes.subarray(at, at + 32_768)));
  return btoa(pieces.join(''));
}
