import { Button, Group, Modal } from '@mantine/core';
import { useState, type DragEvent, type ReactNode } from 'react';
import { MAX_DROPPED } from '../../../shared/ipc/buckets.ts';
import { problemOf } from '../../client.ts';
import { formatCount } from '../../common/format.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { addressOf, type Place } from './place.ts';
import { useStartTransfer } from './use-transfers.ts';

interface DropUploadProps {
  readonly place: Place;
  readonly onStarted: () => void;
  readonly children: ReactNode;
}

const SHOWN = 8;
const bringsFiles = (event: DragEvent): boolean => event.dataTransfer.types.includes('Files');

/** Takes dropped files and folders, and asks before they go to the bucket: what was dropped by mistake may be a key. */
export function DropUpload({ place, onStarted, children }: DropUploadProps) {
  const [isOver, setOver] = useState(false);
  const [paths, setPaths] = useState<readonly string[]>([]);
  const address = addressOf(place, place.prefix);
  const over = (event: DragEvent): void => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'copy';
    setOver(true);
  };
  return (
    <div
      className="drop-upload"
      onDragEnter={over}
      onDragOver={over}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => {
        setOver(false);
        if (!bringsFiles(event)) return;
        event.preventDefault();
        setPaths(
          [...event.dataTransfer.files]
            .map((file) => window.trainyard.pathOf(file))
            .filter((path) => path !== ''),
        );
      }}
    >
      {children}
      {isOver && (
        <div className="drop-upload-over" role="status">
          Drop to upload to <span className="code wrap">{address}</span>
        </div>
      )}
      {paths.length > 0 && (
        <ConfirmUpload
          address={address}
          account={place.key}
          paths={paths}
          onClose={() => setPaths([])}
          onStarted={onStarted}
        />
      )}
    </div>
  );
}

interface ConfirmUploadProps {
  readonly address: string;
  readonly account: string | null;
  readonly paths: readonly string[];
  readonly onClose: () => void;
  readonly onStarted: () => void;
}

function ConfirmUpload({ address, account, paths, onClose, onStarted }: ConfirmUploadProps) {
  const { upload } = useStartTransfer();
  const tooMany = paths.length > MAX_DROPPED;
  return (
    <Modal
      opened
      onClose={onClose}
      title={`Upload ${paths.length === 1 ? 'this' : `these ${formatCount(paths.length)}`}?`}
    >
      <ul className="drop-paths code">
        {paths.slice(0, SHOWN).map((path) => (
          <li key={path} className="wrap">
            {path}
          </li>
        ))}
        {paths.length > SHOWN && <li>and {formatCount(paths.length - SHOWN)} more</li>}
      </ul>
      <p>
        To <span className="code wrap">{address}</span>, folders with all that is in them. An object
        that is there already is never replaced.
      </p>
      {tooMany && (
        <ProblemAlert
          message={`At most ${formatCount(MAX_DROPPED)} can be dropped at once.`}
          hint="Drop the folder that holds them."
        />
      )}
      {upload.isError && <ProblemAlert {...problemOf(upload.error)} />}
      <Group justify="end" gap={8} mt="sm">
        <Button size="xs" variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button
          size="xs"
          data-autofocus
          disabled={tooMany}
          loading={upload.isPending}
          onClick={() =>
            upload.mutate(
              { address, key: account, paths: [...paths] },
              {
                onSuccess: () => {
                  onClose();
                  onStarted();
                },
              },
            )
          }
        >
          Upload
        </Button>
      </Group>
    </Modal>
  );
}
