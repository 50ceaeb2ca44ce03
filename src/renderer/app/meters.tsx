import { useQuery } from '@tanstack/react-query';
import type { Meter } from '../../shared/ipc/hosts.ts';
import { ask } from '../client.ts';
import { formatPart, formatRate } from '../common/format.ts';
import { useJobs } from '../features/jobs/use-jobs.ts';
import { copiesOf } from './copies.ts';
import { useNavigation } from './navigation.ts';

/** Milliseconds between two looks. A window that nobody sees asks for none. */
const EVERY = 2_500;
/** So many cards have a line each; more stand side by side. */
const LINES = 4;

type Card = Meter['gpus'][number];

/** How busy this machine is, and how much is copied now: at the foot of the rail. */
export function Meters() {
  const meter = useQuery({
    queryKey: ['hosts-meter'],
    queryFn: () => ask('hosts-meter', {}),
    refetchInterval: EVERY,
  });
  return (
    <div className="meters">
      <CopiesButton />
      {meter.data !== undefined && (
        <div role="group" aria-label="This machine" className="meters-machine">
          <Machine meter={meter.data} />
        </div>
      )}
    </div>
  );
}

function Machine({ meter }: { readonly meter: Meter }) {
  const { cpu, memoryUsed, memoryTotal, gpus } = meter;
  if (gpus.length > LINES) return <ManyCards cards={gpus} />;
  if (gpus.length > 0) return gpus.map((card) => <CardMeter key={card.uuid} card={card} />);
  return (
    <>
      <MeterLine
        name="CPU"
        percent={cpu}
        title={cpu === null ? 'Processors' : `Processors: ${cpu.toFixed(0)} % busy`}
      />
      <MeterLine
        name="RAM"
        percent={(100 * memoryUsed) / memoryTotal}
        title={`Memory: ${formatPart(memoryUsed, memoryTotal)}`}
      />
    </>
  );
}

const MIB = 1024 * 1024;
/** With a thin space: the rail is narrow. */
const PERCENT = '\u2009%';

const inBounds = (percent: number): number => Math.min(100, Math.max(0, percent));

const memoryPercent = ({ memoryUsed, memoryTotal }: Card): number | null =>
  memoryUsed === null || memoryTotal === null || memoryTotal === 0
    ? null
    : inBounds((100 * memoryUsed) / memoryTotal);

/** `GPU 0, NVIDIA H100: 87 % busy, 61.2 of 79.6 GiB, 64 °C`; what the card does not tell is left out. */
function wordsOf({ index, name, utilization, memoryUsed, memoryTotal, temperature }: Card): string {
  const told = [
    utilization === null ? '' : `${utilization} % busy`,
    memoryUsed === null || memoryTotal === null
      ? ''
      : formatPart(memoryUsed * MIB, memoryTotal * MIB),
    temperature === null ? '' : `${temperature} °C`,
  ].filter((words) => words !== '');
  return `GPU ${index}, ${name}: ${told.length === 0 ? 'it tells nothing' : told.join(', ')}`;
}

/** What a screen reader is given as the value: the use, or the memory of a card that does not tell its use. */
const meterProps = (percent: number | null, words: string) => ({
  title: words,
  role: 'meter',
  'aria-label': words,
  'aria-valuemin': 0,
  'aria-valuemax': 100,
  'aria-valuenow': Math.round(inBounds(percent ?? 0)),
});

function CardMeter({ card }: { readonly card: Card }) {
  const memory = memoryPercent(card);
  const { utilization, temperature } = card;
  return (
    <span className="meter" {...meterProps(utilization ?? memory, wordsOf(card))}>
      <span className="meter-words" aria-hidden>
        <span>
          <b>{card.index}</b> {utilization === null ? '' : `${utilization}${PERCENT}`}
        </span>
        <span>{temperature === null ? '' : `${temperature}°`}</span>
      </span>
      {utilization !== null && <Bar percent={utilization} />}
      {memory !== null && <Bar percent={memory} kind="memory" />}
    </span>
  );
}

function Bar({ percent, kind = 'use' }: { readonly percent: number; readonly kind?: string }) {
  return (
    <span className="meter-bar" data-kind={kind} aria-hidden>
      <i style={{ width: `${inBounds(percent)}%` }} />
    </span>
  );
}

/** A column of use and one of memory for each card; the mean use and the hottest card in words. */
function ManyCards({ cards }: { readonly cards: readonly Card[] }) {
  const uses = cards.flatMap(({ utilization }) => (utilization === null ? [] : [utilization]));
  const degrees = cards.flatMap(({ temperature }) => (temperature === null ? [] : [temperature]));
  const mean = uses.reduce((sum, use) => sum + use, 0) / uses.length;
  return (
    <>
      <span className="meter-words">
        <b title={`${cards.length} GPUs, and how busy they are on average`}>
          {uses.length === 0 ? `${cards.length} GPUs` : `${mean.toFixed(0)}${PERCENT}`}
        </b>
        <span title="The hottest of them">
          {degrees.length === 0 ? '' : `${Math.max(...degrees)}°`}
        </span>
      </span>
      <span className="meter-cards">
        {cards.map((card) => {
          const memory = memoryPercent(card);
          return (
            <span
              key={card.uuid}
              className="meter-card"
              {...meterProps(card.utilization ?? memory, wordsOf(card))}
            >
              <i style={{ height: `${inBounds(card.utilization ?? 0)}%` }} />
              <i data-kind="memory" style={{ height: `${memory ?? 0}%` }} />
            </span>
          );
        })}
      </span>
    </>
  );
}

interface MeterLineProps {
  readonly name: string;
  /** Null: not known yet. */
  readonly percent: number | null;
  readonly title: string;
}

function MeterLine({ name, percent, title }: MeterLineProps) {
  return (
    <span className="meter" {...meterProps(percent, title)}>
      <span className="meter-words" aria-hidden>
        <span>{name}</span>
        <span>{percent === null ? '–' : `${inBounds(percent).toFixed(0)}${PERCENT}`}</span>
      </span>
      <Bar percent={percent ?? 0} />
    </span>
  );
}

/** How many runs copy, and how fast; leads to where they are listed. */
function CopiesButton() {
  const { count, bytesPerSecond, hasTransfer } = copiesOf(useJobs().data ?? []);
  const go = useNavigation((navigation) => navigation.go);
  if (count === 0) return null;
  const rate = bytesPerSecond > 0 ? formatRate(bytesPerSecond) : '';
  const words = `${count} ${count === 1 ? 'run copies' : 'runs copy'} now${rate === '' ? '' : `, ${rate}`}`;
  return (
    <button
      type="button"
      className="meter-copies"
      title={`${words}. Opens ${hasTransfer ? 'the transfers' : 'the jobs'}.`}
      onClick={() => go(hasTransfer ? { screen: 'buckets', transfers: true } : { screen: 'jobs' })}
    >
      <b>
        <span aria-hidden>⇅ </span>
        {count}
        <span className="for-readers"> {count === 1 ? 'run copies' : 'runs copy'} now </span>
      </b>
      <span>{rate}</span>
    </button>
  );
}
