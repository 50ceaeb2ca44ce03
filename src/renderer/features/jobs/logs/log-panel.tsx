import { Checkbox, NativeSelect, Text } from '@mantine/core';
import { useLayoutEffect, useRef, useState } from 'react';
import type { LogSource } from '../../../../shared/ipc.ts';
import { hasEnded } from '../../../../shared/job-status.ts';
import { RUN, workerLog } from '../../../../shared/run-directory.ts';
import type { JobView } from '../../../../shared/views.ts';
import { formatBytes } from '../../../common/format.ts';
import { allText } from './terminal-text.ts';
import { useLog } from './use-log.ts';

interface LogPanelProps {
  readonly job: JobView;
  readonly source: LogSource;
  readonly onSource: (source: LogSource) => void;
}

const parseSource = (value: string): LogSource => (value === 'stage' ? 'stage' : Number(value));

export function LogPanel({ job, source, onSource }: LogPanelProps) {
  return (
    <section className="log" aria-label="Log">
      <Log
        key={`${job.id}/${source}`}
        job={job}
        source={source}
        picker={
          <NativeSelect
            size="xs"
            aria-label="Log of"
            value={String(source)}
            onChange={(event) => onSource(parseSource(event.currentTarget.value))}
            data={[
              { value: 'stage', label: 'Stages' },
              ...job.workers.map(({ index }) => ({
                value: String(index),
                label: `Worker ${index}`,
              })),
            ]}
          />
        }
      />
    </section>
  );
}

interface LogProps {
  readonly job: JobView;
  readonly source: LogSource;
  readonly picker: React.ReactNode;
}

function Log({ job, source, picker }: LogProps) {
  const { log, problem } = useLog(job.id, source, !hasEnded(job.state));
  const [follows, setFollows] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const text = allText(log.text);

  useLayoutEffect(() => {
    if (follows && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [follows, text]);

  const file = `${job.runDirectory}/${source === 'stage' ? RUN.stageLog : workerLog(source)}`;
  const isPart = log.skipped > 0 || log.text.dropped > 0;
  return (
    <>
      <div className="log-bar">
        {picker}
        <Checkbox
          size="xs"
          label="Follow"
          checked={follows}
          onChange={(event) => setFollows(event.currentTarget.checked)}
        />
        <Text className="log-size" size="xs" c="dimmed" title={file}>
          {log.size === null ? '' : formatBytes(log.size)}
        </Text>
      </div>
      <div
        ref={box}
        className="log-box"
        tabIndex={0}
        role="log"
        aria-label={source === 'stage' ? 'Log of the stages' : `Log of worker ${source}`}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          setFollows(scrollHeight - scrollTop - clientHeight < 24);
        }}
      >
        {isPart && (
          <p className="log-note">Only the last part is shown. The whole log is in {file}</p>
        )}
        {problem !== null && (
          <p className="log-note" role="alert">
            {problem.message} {problem.hint}
          </p>
        )}
        {text === '' && problem === null && log.size !== null && (
          <p className="log-note">Nothing written yet.</p>
        )}
        <pre>{text}</pre>
      </div>
    </>
  );
}
