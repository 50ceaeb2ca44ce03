import { useVirtualizer } from '@tanstack/react-virtual';
import { useCallback, useMemo, useRef } from 'react';
import { hasEnded } from '../../../../shared/job-status.ts';
import type { RunEvent } from '../../../../shared/events.ts';
import type { JobView } from '../../../../shared/views.ts';
import { ask } from '../../../client.ts';
import { ProblemAlert } from '../../../common/problem-alert.tsx';
import { formatDuration } from '../../../common/format.ts';
import { useLines } from '../use-lines.ts';
import { wordsOf, type EventWords } from './event-words.ts';

const ROW = 26;
const MARKS: Readonly<Record<EventWords['tone'], string>> = {
  plain: '·',
  good: '✓',
  bad: '✕',
  care: '!',
};

/** Everything that happened to a job, in its order. */
export function TimelinePanel({ job }: { readonly job: JobView }) {
  const { id } = job;
  const read = useCallback(
    async (offset: number) => {
      const { events, ...rest } = await ask('jobs-events', { id, offset });
      return { lines: events, ...rest };
    },
    [id],
  );
  const { lines, problem } = useLines(read, !hasEnded(job.state));
  const events = useMemo(() => withoutProgress(lines ?? []), [lines]);
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: events.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  const begin = Date.parse(events[0]?.time ?? '');
  return (
    <div ref={box} className="timeline" tabIndex={0} role="region" aria-label="Timeline">
      {problem !== null && <ProblemAlert {...problem} />}
      {lines !== null && events.length === 0 && (
        <p className="tab-empty">
          {hasEnded(job.state) ? 'No event was kept.' : 'Nothing happened yet.'}
        </p>
      )}
      <ol style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((item) => {
          const event = events[item.index];
          if (event === undefined) return null;
          const { title, detail, tone } = wordsOf(event, job.kind);
          const after = Date.parse(event.time) - begin;
          return (
            <li
              key={event.seq}
              data-tone={tone}
              aria-setsize={events.length}
              aria-posinset={item.index + 1}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <time dateTime={event.time} title={event.time}>
                {clockOf(event.time)}
              </time>
              <span className="dimmed timeline-after">
                {Number.isNaN(after) ? '' : `+${formatDuration(after)}`}
              </span>
              <span className="timeline-mark" aria-hidden>
                {MARKS[tone]}
              </span>
              <span className="timeline-words" title={`${title}\n${detail}`}>
                {title} <span className="dimmed">{detail}</span>
              </span>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

/** Progress says something only while it is the newest. */
function withoutProgress(events: readonly RunEvent[]): readonly RunEvent[] {
  return events.filter(
    ({ kind }, index) => kind !== 'stage-progress' || index === events.length - 1,
  );
}

function clockOf(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return '';
  return time.toLocaleTimeString('en-GB');
}
