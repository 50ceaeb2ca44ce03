import { Button, Code, Group, Loader, Text } from '@mantine/core';
import { useEffect, useRef, type ReactNode } from 'react';
import type { SampleStatus } from '../../../shared/ipc/sample.ts';
import { useNavigation } from '../../app/navigation.ts';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useBookmarks } from '../buckets/use-buckets.ts';
import { usePlace } from '../buckets/place-store.ts';
import { ArrivalCard } from '../keys/arrival-card.tsx';
import { receivePaths, useArrivals } from '../keys/arrivals.ts';
import { useKeys, useVault } from '../keys/use-keys.ts';
import { VaultNotice } from '../keys/vault-notice.tsx';
import { NewNotebook } from '../notebooks/new-notebook.tsx';
import { useSample, useSampleAgain, useStartSample } from '../sample/use-sample.ts';
import './first-start.css';

/** Where there is no job yet: three steps that end in one, each ticked by what is really there, or the same with sample data. */
export function FirstStart({ home }: { readonly home: string | null }) {
  const go = useNavigation((navigation) => navigation.go);
  const keys = useKeys().data ?? [];
  const sample = useSample().data ?? null;
  const bookmarks = useBookmarks().data ?? [];
  const place = usePlace((store) => store.place);
  const arrivals = useArrivals((state) => state.list);
  useSampleKey(sample, keys.length);

  const isSample = sample?.state === 'on';
  const [firstKey] = keys;
  const hasKey = isSample ? sample.key !== null : firstKey !== undefined;
  const hasBucket = isSample || bookmarks.length > 0 || place !== null;

  return (
    <div className="first">
      <div className="first-box">
        <div>
          <h1>No jobs yet</h1>
          <Text size="md">Three steps lead to the first.</Text>
        </div>
        <ol>
          <Step
            number={1}
            name="Key"
            done={hasKey}
            words={
              isSample && sample.key !== null
                ? `The sample’s key is here, as “${sample.key}”.`
                : firstKey !== undefined && !isSample
                  ? keys.length === 1
                    ? `“${firstKey.name}” is here.`
                    : `${keys.length} keys are here.`
                  : isSample
                    ? 'This is the key of the sample’s service account. Take it in.'
                    : 'Drop the JSON file of a service-account key anywhere in this window. It stays on this machine.'
            }
            action={
              isSample ? (
                !hasKey &&
                arrivals.length === 0 &&
                sample.keyFile !== null && (
                  <Button size="xs" onClick={() => void receivePaths([sample.keyFile ?? ''])}>
                    Read it again
                  </Button>
                )
              ) : (
                <Button
                  size="xs"
                  variant={hasKey ? 'default' : 'filled'}
                  onClick={() => go({ screen: 'keys' })}
                >
                  {hasKey ? 'Show it' : 'Add a key'}
                </Button>
              )
            }
          >
            {arrivals.length > 0 && (isSample || !hasKey) && <Arrivals />}
          </Step>
          <Step
            number={2}
            name="Bucket"
            done={hasBucket}
            words={
              isSample
                ? `Data is at ${sample.input}, results go below ${sample.output}`
                : hasBucket
                  ? 'You have looked into a bucket.'
                  : 'See that the key opens your bucket: give its address, gs://…'
            }
            action={
              <Button
                size="xs"
                variant={hasKey && !hasBucket ? 'filled' : 'default'}
                onClick={() =>
                  go(
                    isSample && sample.key !== null
                      ? { screen: 'buckets', address: sample.input, key: sample.key }
                      : { screen: 'buckets' },
                  )
                }
              >
                {isSample ? 'Look into it' : 'Open a bucket'}
              </Button>
            }
          />
          <Step
            number={3}
            name="Run"
            done={false}
            words={
              isSample
                ? 'Two workers learn to read digits, at two learning rates.'
                : 'Say what to run, on which data, and where the results go. Jobs started in a terminal appear here, too.'
            }
            action={
              isSample && sample.jobFile !== null ? (
                <Button
                  size="xs"
                  onClick={() => go({ screen: 'new-job', specYaml: sample.jobFile ?? '' })}
                >
                  Open the sample’s job
                </Button>
              ) : (
                <Group gap="xs" wrap="nowrap">
                  <NewNotebook size="xs" />
                  <Button
                    size="xs"
                    variant={hasKey && hasBucket && !isSample ? 'filled' : 'default'}
                    onClick={() => go({ screen: 'new-job' })}
                  >
                    New job
                  </Button>
                </Group>
              )
            }
          />
        </ol>
        {sample !== null && <TrySample status={sample} />}
        {home !== null && (
          <Text size="sm" className="dimmed wrap">
            In a terminal: <Code>trainyard run job.yaml</Code>. This window and the command line
            share {home}
          </Text>
        )}
      </div>
    </div>
  );
}

interface StepProps {
  readonly number: number;
  readonly name: string;
  readonly done: boolean;
  readonly words: string;
  readonly action: ReactNode;
  readonly children?: ReactNode;
}

function Step({ number, name, done, words, action, children }: StepProps) {
  return (
    <li className="first-step" aria-label={`${name}: ${done ? 'done' : 'to do'}`}>
      <span className="first-mark" data-done={done} aria-hidden="true">
        {done ? '✓' : number}
      </span>
      <div className="first-words">
        <h2>{name}</h2>
        <Text size="md" className="wrap">
          {words}
        </Text>
      </div>
      {action}
      {children !== undefined && children !== false && <div className="first-more">{children}</div>}
    </li>
  );
}

/** What came in, with the button that takes it; and what stands between it and the vault. */
function Arrivals() {
  const arrivals = useArrivals((state) => state.list);
  const vault = useVault();
  return (
    <>
      {vault.data !== undefined && (
        <VaultNotice vault={vault.data} onRetry={() => void vault.refetch()} />
      )}
      {arrivals.map((arrival) => (
        <ArrivalCard key={arrival.id} arrival={arrival} />
      ))}
    </>
  );
}

/** Reads the sample's key as a dropped file is read, once it is there; the user takes it in. */
function useSampleKey(sample: SampleStatus | null, keys: number): void {
  const again = useSampleAgain();
  const known = useRef(keys);
  useEffect(() => {
    if (known.current === keys) return;
    known.current = keys;
    again();
  });
  const file = sample?.state === 'on' && sample.key === null ? sample.keyFile : null;
  useEffect(() => {
    const isRead = useArrivals
      .getState()
      .list.some(({ state }) => state.kind === 'found' && isAt(state.candidate, file));
    if (file !== null && !isRead) void receivePaths([file]);
  }, [file]);
}

const isAt = (
  candidate: { readonly folder: string | null; readonly name: string },
  file: string | null,
): boolean =>
  file !== null &&
  candidate.folder !== null &&
  file.startsWith(candidate.folder) &&
  file.endsWith(candidate.name);

function TrySample({ status }: { readonly status: SampleStatus }) {
  const start = useStartSample();
  if (status.state === 'starting')
    return (
      <Group gap="xs" role="status" wrap="nowrap">
        <Loader size="xs" />
        <Text size="md">{status.step}…</Text>
      </Group>
    );
  if (status.state !== 'off' || !status.offered) return null;
  return (
    <section className="first-sample" aria-label="Sample data">
      <div className="first-words">
        <h2>No key at hand?</h2>
        <Text size="md">
          An emulated Google Cloud starts on this machine, with two buckets, pictures of digits and
          a service account. Nothing leaves the machine, and all of it can be removed again.
        </Text>
      </div>
      <Button size="xs" variant="default" loading={start.isPending} onClick={() => start.mutate()}>
        Try it with sample data
      </Button>
      {start.error !== null && (
        <div className="first-more">
          <ProblemAlert {...problemOf(start.error)} />
        </div>
      )}
    </section>
  );
}
