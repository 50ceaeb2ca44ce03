import { ignoredText, type RunEvent } from '../../../../shared/events.ts';
import { gpusAwaitedText } from '../../../../shared/gpus-awaited.ts';
import { processesEndedText, processesLeftText } from '../../../../shared/left-processes.ts';
import { leftOutText } from '../../../../shared/left-out.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  plural,
  skippedText,
} from '../../../common/format.ts';
import { pythonText } from '../../../../shared/terminal-environment.ts';
import type { JobView } from '../../../../shared/views.ts';
import { amountOf, stageName } from '../job-view-model.ts';

export interface EventWords {
  readonly title: string;
  readonly detail: string;
  readonly tone: 'plain' | 'good' | 'bad' | 'care';
}

const plain = (title: string, detail = ''): EventWords => ({ title, detail, tone: 'plain' });

/** What an event says, in words. Pure. */
export function wordsOf(event: RunEvent, kind: JobView['kind'] = 'training'): EventWords {
  const run = kind === 'transfer' ? 'transfer' : 'job';
  switch (event.kind) {
    case 'agent-started':
      return plain(
        event.attempt === 1 ? `An agent took the ${run} up` : `Attempt ${event.attempt} began`,
        `agent ${event.version}, process ${event.agent.pid}`,
      );
    case 'stage-started':
      return plain(`${stageName(kind, event.stage)}: began`);
    case 'stage-ended':
      return plain(`${stageName(kind, event.stage)}: done`);
    case 'stage-progress':
      return plain(
        { code: 'Code', data: 'Data', output: 'Output' }[event.what],
        amountOf(event.progress),
      );
    case 'code-staged':
      return plain(
        'Code is in place',
        [
          `${plural(event.files, 'file')}, ${formatBytes(event.bytes)}`,
          event.state.commit === null ? '' : `commit ${event.state.commit.slice(0, 10)}`,
          event.state.dirty === true ? 'with uncommitted changes' : '',
          ignoredText(event.state),
        ]
          .filter((part) => part !== '')
          .join(', '),
      );
    case 'data-staged':
      return plain(
        'Data is in place',
        `${plural(event.objects, 'object')}, ${formatBytes(event.bytes)} in ${formatDuration(event.seconds * 1000)}${skippedText(event.objects, event.skipped)}`,
      );
    case 'setup-ended':
      return {
        title: event.exitCode === 0 ? 'Set-up is done' : 'Set-up failed',
        detail: `exit ${event.exitCode ?? 'by a signal'}, ${formatDuration(event.seconds * 1000)}`,
        tone: event.exitCode === 0 ? 'plain' : 'bad',
      };
    case 'environment':
      return plain(
        'The environment of the workers is known',
        [
          pythonText(event),
          event.shell === null ? '' : `from ${event.shell}`,
          event.terminal.length === 0
            ? ''
            : `${plural(event.terminal.length, 'variable')} from the terminal`,
        ]
          .filter((part) => part !== '')
          .join(', '),
      );
    case 'gpus-awaited': {
      const { title, detail } = gpusAwaitedText(event);
      return { title, detail, tone: 'care' };
    }
    case 'worker-started':
      return plain(
        event.start === 1
          ? `Worker ${event.worker} started`
          : `Worker ${event.worker} started again (${event.start})`,
        [`process ${event.pid}`, ...event.gpus.map((gpu) => `GPU ${gpu.index}: ${gpu.name}`)].join(
          ', ',
        ),
      );
    case 'worker-adopted':
      return plain(`Worker ${event.worker} was found running`, `process ${event.pid}`);
    case 'worker-ended': {
      const how =
        event.signal !== null
          ? `signal ${event.signal}`
          : event.exitCode === null
            ? 'nobody saw how: its supervisor is gone'
            : `exit ${event.exitCode}`;
      const memory = event.outOfMemory === true ? ': most likely out of memory' : '';
      const good = event.exitCode === 0;
      return {
        title: `Worker ${event.worker} ${event.stopped ? 'was stopped' : good ? 'finished' : 'failed'}`,
        detail: `${how}${memory}`,
        tone: event.stopped ? 'care' : good ? 'good' : 'bad',
      };
    }
    case 'processes-left': {
      const { message, hint } = processesLeftText(event);
      return { title: message, detail: hint, tone: 'care' };
    }
    case 'processes-ended': {
      const told = processesEndedText(event);
      if (told !== null) return { title: told.message, detail: told.hint, tone: 'care' };
      return plain(event.asked === 1 ? 'It ended when asked' : 'They ended when asked');
    }
    case 'access-awaited':
      return { title: event.message, detail: event.hint, tone: 'care' };
    case 'access-renewed':
      return plain('Access was renewed');
    case 'left-out': {
      if (event.refused + event.failed === 0) return plain('Nothing is left out any more');
      const { message, hint } = leftOutText(event, 3);
      return { title: message, detail: hint, tone: 'care' };
    }
    case 'output-checked':
      return plain(
        'The bucket was looked at',
        event.missing === 0
          ? event.objects === 1
            ? 'its one object is there'
            : `all ${plural(event.objects, 'object')} are there`
          : `missing: ${formatCount(event.missing)} of ${plural(event.objects, 'object')}`,
      );
    case 'output-uploaded':
      return {
        title: 'Output is uploaded',
        detail: `${plural(event.objects, 'object')}, ${formatBytes(event.bytes)} in ${formatDuration(event.seconds * 1000)}`,
        tone: 'good',
      };
    case 'manifest-uploaded':
      return plain('The manifest is uploaded', event.object);
    case 'notebook-ready':
      return {
        title: 'Jupyter answers',
        detail: `${event.program} ${event.version}`,
        tone: 'good',
      };
    case 'stop-requested':
      return {
        title: kind === 'transfer' ? 'A pause was asked for' : 'A stop was asked for',
        detail:
          kind === 'transfer'
            ? ''
            : `${event.signal ?? 'SIGTERM'} asks the workers; they have ${event.graceSeconds} s to end`,
        tone: 'care',
      };
    case 'worker-log-full':
      return {
        title: `The log of worker ${event.worker} is full`,
        detail: `it ends at ${formatBytes(event.limit)}`,
        tone: 'care',
      };
    case 'warning':
      return { title: event.message, detail: event.hint, tone: 'care' };
    case 'ended':
      return {
        title: `The ${run} ${event.state !== 'stopped' ? event.state : kind === 'transfer' ? 'was paused' : 'was stopped'}`,
        detail: event.problem === null ? '' : `${event.problem.message} ${event.problem.hint}`,
        tone: event.state === 'finished' ? 'good' : event.state === 'failed' ? 'bad' : 'care',
      };
  }
}
