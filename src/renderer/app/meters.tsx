import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import type { JobView } from '../../shared/views.ts';
import { ask } from '../client.ts';
import { formatBytes } from '../common/format.ts';

/** How busy this machine is, and how much is copied now: at the foot of the rail. */
export function Meters() {
  const meter = useQuery({
    queryKey: ['hosts-meter'],
    queryFn: () => ask('hosts-meter', {}),
    refetchInterval: 2_000,
  });
  const copies = useCopies();
  if (meter.data === undefined) return null;
  const { cpu, memoryUsed, memoryTotal } = meter.data;
  return (
    <div className="meters" role="group" aria-label="This machine">
      {cpu !== null && (
        <Meter name="CPU" percent={cpu} title={`Processors: ${cpu.toFixed(0)} % busy`} />
      )}
      <Meter
        name="RAM"
        percent={(100 * memoryUsed) / memoryTotal}
        title={`Memory: ${formatBytes(memoryUsed)} of ${formatBytes(memoryTotal)}`}
      />
      {copies > 0 && (
        <span className="meter-copies" title="Jobs and transfers that copy now">
          ⇅ {copies}
        </span>
      )}
    </div>
  );
}

interface MeterProps {
  readonly name: string;
  readonly percent: number;
  readonly title: string;
}

function Meter({ name, percent, title }: MeterProps) {
  const shown = Math.min(100, Math.max(0, percent));
  return (
    <span
      className="meter"
      title={title}
      role="meter"
      aria-label={title}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(shown)}
    >
      <span className="meter-words" aria-hidden>
        <span>{name}</span>
        <span>{shown.toFixed(0)} %</span>
      </span>
      <span className="meter-bar" aria-hidden>
        <i style={{ width: `${shown}%` }} />
      </span>
    </span>
  );
}

/** Runs that download or upload now, of the list that the jobs' screen keeps. */
function useCopies(): number {
  const client = useQueryClient();
  return useSyncExternalStore(
    (changed) => client.getQueryCache().subscribe(changed),
    () =>
      (client.getQueryData<readonly JobView[]>(['jobs']) ?? []).filter(
        ({ state }) => state === 'staging' || state === 'uploading',
      ).length,
  );
}
