import { Loader } from '@mantine/core';
import { useMemo } from 'react';
import type { ObjectInfo } from '../../../shared/object-info.ts';
import { PREVIEW_BYTES } from '../../../shared/ipc/buckets.ts';
import { problemOf } from '../../client.ts';
import { formatBytes, formatCount } from '../../common/format.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { imageTypeOf, type Preview } from './preview-kind.ts';
import type { Place } from './place.ts';
import { usePreview } from './use-buckets.ts';

interface PreviewPanelProps {
  readonly place: Pick<Place, 'bucket' | 'key'>;
  readonly object: ObjectInfo;
}

/** What an object's first bytes show. */
export function PreviewPanel({ place, object }: PreviewPanelProps) {
  const preview = usePreview(place, object);
  if (preview.isPending)
    return <Loader size="xs" aria-label="The preview is being read" className="preview-wait" />;
  if (preview.isError) return <ProblemAlert {...problemOf(preview.error)} />;
  const { shown, complete } = preview.data;
  return (
    <section className="preview" aria-label="Preview">
      <p className="preview-note dimmed">{noteOf(object, shown, complete)}</p>
      <Shown shown={shown} name={object.name} />
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
      return `Table${shown.cut ? `, the first ${formatCount(shown.rows.length)} rows` : `, ${formatCount(shown.rows.length)} rows`}`;
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

function Shown({ shown, name }: { readonly shown: Preview; readonly name: string }) {
  switch (shown.kind) {
    case 'empty':
      return null;
    case 'image':
      return <ImagePreview bytes={shown.bytes} type={shown.type} name={name} />;
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
}

/** As a picture alone: an SVG runs no script and loads nothing there. */
function ImagePreview({ bytes, type, name }: ImagePreviewProps) {
  const address = useMemo(() => `data:${type};base64,${toBase64(bytes)}`, [bytes, type]);
  return <img className="preview-image" src={address} alt={`Preview of ${name}`} />;
}

function toBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += 32_768)
    pieces.push(String.fromCharCode(...bytes.subarray(at, at + 32_768)));
  return btoa(pieces.join(''));
}
