import { execFile } from 'node:child_process';
import type { Gpu, GpuProbe } from '../../shared/gpu.ts';
import { ANSWERED_WITH_WARNING } from '../../shared/nvidia-smi.ts';
import { withoutControls } from '../own-environment.ts';
import {
  brokenMessage,
  combine,
  GPU_QUERY,
  GPU_QUERY_OLD,
  parseCards,
  parseMigInstances,
  parseProcesses,
  PROCESS_QUERY,
  type Card,
} from './parse.ts';

const TIME_LIMIT = 15_000;
const FORMAT = '--format=csv,noheader,nounits';

type Answer =
  | { readonly kind: 'said'; readonly output: string }
  | { readonly kind: 'no-tool' }
  | { readonly kind: 'broken'; readonly message: string };

/** Runs the `nvidia-smi` of the PATH. */
function ask(...parameters: string[]): Promise<Answer> {
  return new Promise((resolve) => {
    execFile(
      'nvidia-smi',
      parameters,
      {
        timeout: TIME_LIMIT,
        killSignal: 'SIGKILL',
        maxBuffer: 16 * 1024 * 1024,
        env: { ...withoutControls(process.env), LC_ALL: 'C' },
      },
      (error, stdout, stderr) => {
        if (error === null || error.code === ANSWERED_WITH_WARNING)
          resolve({ kind: 'said', output: stdout });
        else if (error.code === 'ENOENT') resolve({ kind: 'no-tool' });
        else if (error.killed === true)
          resolve({
            kind: 'broken',
            message: `nvidia-smi did not answer within ${TIME_LIMIT / 1_000} seconds.`,
          });
        else resolve({ kind: 'broken', message: brokenMessage(`${stdout}\n${stderr}`) });
      },
    );
  });
}

async function askCards(): Promise<Answer | { readonly kind: 'cards'; readonly cards: Card[] }> {
  const answer = await ask(`--query-gpu=${GPU_QUERY}`, FORMAT);
  if (answer.kind === 'broken' && answer.message.includes('not a valid field')) {
    const old = await ask(`--query-gpu=${GPU_QUERY_OLD}`, FORMAT);
    return old.kind === 'said' ? { kind: 'cards', cards: parseCards(old.output, false) } : old;
  }
  return answer.kind === 'said'
    ? { kind: 'cards', cards: parseCards(answer.output, true) }
    : answer;
}

/** The cards of this machine, with the processes that compute on each. */
export async function probeGpus(): Promise<GpuProbe> {
  const answer = await askCards();
  if (answer.kind === 'no-tool' || answer.kind === 'broken') return answer;
  if (answer.kind === 'said' || answer.cards.length === 0)
    return {
      kind: 'broken',
      message: answer.kind === 'said' ? brokenMessage(answer.output) : 'nvidia-smi lists no card.',
    };
  const [list, processes] = await Promise.all([
    ask('-L'),
    ask(`--query-compute-apps=${PROCESS_QUERY}`, FORMAT),
  ]);
  return combine(
    answer.cards,
    list.kind === 'said' ? parseMigInstances(list.output) : [],
    processes.kind === 'said' ? parseProcesses(processes.output) : new Map(),
  );
}

/** The cards' counters alone, for samples; empty where there are none. */
export async function sampleGpus(): Promise<readonly Gpu[]> {
  const answer = await askCards();
  return answer.kind === 'cards' ? answer.cards.map((card) => card.gpu) : [];
}
