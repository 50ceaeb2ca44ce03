import { Button, Checkbox, NativeSelect, Text, TextInput } from '@mantine/core';
import '@xterm/xterm/css/xterm.css';
import { useEffect, useRef, useState } from 'react';
import { MAX_SEARCH } from '../../../../shared/ipc/limits.ts';
import type { LogSource } from '../../../../shared/ipc.ts';
import { hasEnded } from '../../../../shared/job-status.ts';
import { WITHOUT_LOG } from '../../../../shared/page-origin.ts';
import { RUN, workerLog } from '../../../../shared/run-directory.ts';
import type { JobView } from '../../../../shared/views.ts';
import { ask, problemOf } from '../../../client.ts';
import { formatBytes } from '../../../common/format.ts';
import { useLog, type OpenLog } from './use-log.ts';

interface LogPanelProps {
  readonly job: JobView;
  readonly source: LogSource;
  readonly onSource: (source: LogSource) => void;
}

/** How long an answer stands at the foot. Milliseconds. */
const SAID_TIME = 5_000;

const parseSource = (value: string): LogSource => (value === 'stage' ? 'stage' : Number(value));

/** The window did not respond, and was loaded anew without the log that it showed. */
let isLeftOut = new URLSearchParams(location.search).has(WITHOUT_LOG);

export function LogPanel(props: LogPanelProps) {
  const [leftOut, setLeftOut] = useState(isLeftOut);
  if (!leftOut) return <OpenLogPanel {...props} />;
  const show = () => {
    isLeftOut = false;
    setLeftOut(false);
  };
  return (
    <section className="log log-left-out" aria-label="Log">
      <Text size="sm">The window did not respond, so it was loaded again without the log.</Text>
      <Button size="compact-sm" variant="default" onClick={show}>
        Show the log
      </Button>
    </section>
  );
}

function OpenLogPanel({ job, source, onSource }: LogPanelProps) {
  const workers = job.workers.map(({ index }) => ({
    value: String(index),
    label: `Worker ${index}`,
  }));
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
            data={[{ value: 'stage', label: 'Stages' }, ...workers]}
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
  const box = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const label = source === 'stage' ? 'Log of the stages' : `Log of worker ${source}`;
  const { log, problem, open } = useLog(box, {
    id: job.id,
    source,
    live: !hasEnded(job.state),
    label,
    onSearch: () => field.current?.focus(),
  });
  const [said, setSaid] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setSaid(''), SAID_TIME);
    return () => clearTimeout(timer);
  }, [said]);
  const search = useSearch(job.id, source, open, setSaid);
  const file = `${job.runDirectory}/${source === 'stage' ? RUN.stageLog : workerLog(source)}`;
  const isPart = log.size !== null && (log.from > 0 || log.to < log.size);

  const copy = async () => {
    await navigator.clipboard.writeText(open.current?.terminal.text() ?? '');
    setSaid('Copied');
  };
  const save = async () => {
    try {
      const path = await ask('jobs-save-log', { id: job.id, source });
      if (path !== null) setSaid(`Saved as ${path}`);
    } catch (error) {
      setSaid(problemOf(error).message);
    }
  };
  return (
    <>
      <div className="log-bar">
        {picker}
        <TextInput
          ref={field}
          size="xs"
          className="log-search"
          placeholder="Search the log"
          aria-label="Search the log"
          title="Enter: next, Shift+Enter: previous"
          maxLength={MAX_SEARCH}
          onChange={() => setSaid('')}
          onKeyDown={(event) => {
            if (event.key === 'Escape') open.current?.terminal.terminal.focus();
            if (event.key !== 'Enter' || event.nativeEvent.isComposing) return;
            event.preventDefault();
            void search(event.currentTarget.value, event.shiftKey ? 'previous' : 'next');
          }}
        />
        <Checkbox
          size="xs"
          label="Follow"
          checked={log.follows}
          onChange={(event) => {
            open.current?.window.follow(event.currentTarget.checked);
            if (event.currentTarget.checked) void open.current?.window.toEnd();
          }}
        />
        <Button.Group className="log-buttons">
          <Button
            size="compact-xs"
            variant="default"
            title="To the beginning (Home)"
            onClick={() => void open.current?.window.toStart()}
          >
            Start
          </Button>
          <Button
            size="compact-xs"
            variant="default"
            title="To the end (End)"
            onClick={() => void open.current?.window.toEnd()}
          >
            End
          </Button>
          <Button
            size="compact-xs"
            variant="default"
            title="What is selected, else what is loaded"
            onClick={() => void copy()}
          >
            Copy
          </Button>
          <Button
            size="compact-xs"
            variant="default"
            title={`The whole log: ${file}`}
            onClick={() => void save()}
          >
            Save
          </Button>
        </Button.Group>
      </div>
      <div
        ref={box}
        className="log-box"
        role="log"
        aria-label={label}
        data-empty={log.size === 0 ? true : undefined}
      />
      {log.size === 0 && problem === null && (
        <p className="log-empty">
          {hasEnded(job.state) ? 'Nothing was written.' : 'Nothing was written yet.'}
        </p>
      )}
      <div className="log-foot">
        {problem !== null ? (
          <span role="alert">
            {problem.message} {problem.hint}
          </span>
        ) : (
          <span role="status" title={said === '' ? file : said}>
            {said !== '' ? said : isPart ? partOf(log.from, log.to, log.size) : file}
          </span>
        )}
        <Text span size="xs">
          {log.size === null ? '' : formatBytes(log.size)}
        </Text>
      </div>
    </>
  );
}

/** Of a long log a part is loaded: which. */
function partOf(from: number, to: number, size: number): string {
  const percent = (at: number): string => `${((100 * at) / Math.max(1, size)).toFixed(1)} %`;
  if (to >= size) return `The last ${formatBytes(to - from)} are loaded; scroll up for more`;
  return `From ${percent(from)} to ${percent(to)} of the log; scroll for more`;
}

/** Finds lines of the whole log, not only of what is loaded; goes round at its ends. */
function useSearch(
  id: string,
  source: LogSource,
  open: React.RefObject<OpenLog | null>,
  say: (text: string) => void,
) {
  const last = useRef<number | null>(null);
  return async (text: string, direction: 'next' | 'previous'): Promise<void> => {
    if (text === '') return;
    const find = async (from: number) =>
      (await ask('jobs-find-in-log', { id, source, text, from, direction })).line;
    const begin = direction === 'next' ? 0 : Number.MAX_SAFE_INTEGER;
    try {
      const at = last.current;
      const from = at === null ? begin : direction === 'next' ? at + 1 : at;
      const line = (await find(from)) ?? (at === null ? null : await find(begin));
      if (line === null) {
        last.current = null;
        say('Not found');
        return;
      }
      const wrapped = at !== null && (direction === 'next' ? line <= at : line >= at);
      last.current = line;
      say(wrapped ? (line === at ? 'The only one' : 'Went round the end') : '');
      const row = await open.current?.window.toLine(line);
      if (row !== null && row !== undefined) open.current?.terminal.select(text, row);
    } catch (error) {
      say(problemOf(error).message);
    }
  };
}
