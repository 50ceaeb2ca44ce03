import { readdirSync } from 'node:fs';
import type { Gpu, GpuProbe } from '../../shared/gpu.ts';
import {
  brokenMessage,
  combine,
  GPU_QUERY,
  GPU_QUERY_OLD,
  isProcessList,
  parseCards,
  parseHidden,
  parseLostCards,
  parseMigInstances,
  parseProcesses,
  PROCESS_QUERY,
  type Card,
} from './parse.ts';
import { parseReport } from './report.ts';
import { askTool, findTool, type Answer, type LoginPath } from './tool.ts';

const FORMAT = '--format=csv,noheader,nounits';
/** No machine has more; asked for one after the other only where nvidia-smi gives up over one of them. */
const MOST_CARDS = 16;

type Ask = (...parameters: string[]) => Promise<Answer>;
interface Cards {
  readonly cards: readonly Card[];
  /** What is said of those that do not answer. */
  readonly lost: readonly string[];
}

/** The cards of which rows came, also where nvidia-smi ended with an error over another. */
async function askCards(
  ask: Ask,
  ...which: string[]
): Promise<Exclude<Answer, { readonly kind: 'said' }> | ({ readonly kind: 'cards' } & Cards)> {
  const answer = await ask(`--query-gpu=${GPU_QUERY}`, FORMAT, ...which);
  if (!isOldDriver(answer)) return cardsIn(answer, true);
  return cardsIn(await ask(`--query-gpu=${GPU_QUERY_OLD}`, FORMAT, ...which), false);
}

const isOldDriver = (answer: Answer): boolean =>
  (answer.kind === 'broken' && answer.message.includes('not a valid field')) ||
  (answer.kind === 'said' && !answer.whole && answer.output.includes('not a valid field'));

function cardsIn(
  answer: Answer,
  withMig: boolean,
): Exclude<Answer, { readonly kind: 'said' }> | ({ readonly kind: 'cards' } & Cards) {
  if (answer.kind !== 'said') return answer;
  const cards = parseCards(answer.output, withMig);
  const lost = parseLostCards(answer.output);
  return answer.whole || cards.length > 0 || lost.length > 0
    ? { kind: 'cards', cards, lost }
    : { kind: 'broken', message: brokenMessage(answer.output) };
}

/** One by one, where the question for all cards is answered for none because one of them is lost. */
async function askEach(ask: Ask): Promise<readonly Card[]> {
  const list = await ask('-L');
  const named =
    list.kind === 'said'
      ? [...list.output.matchAll(/^GPU \d+:.*\(UUID: ([^)\s]+)\)/gm)].map(([, uuid = '']) => uuid)
      : [];
  const ids =
    named.length > 0
      ? named
      : (busIds() ?? Array.from({ length: MOST_CARDS }, (_, index) => String(index)));
  const found = new Map<string, Card>();
  for (const id of ids) {
    const answer = await askCards(ask, `--id=${id}`);
    if (answer.kind === 'cards') for (const card of answer.cards) found.set(card.gpu.uuid, card);
    // Past the last card.
    else if (/no devices were found|invalid/i.test('message' in answer ? answer.message : ''))
      break;
  }
  return [...found.values()];
}

/** The cards that the kernel's driver has, lost ones too; null where it does not tell. */
function busIds(): readonly string[] | null {
  try {
    return readdirSync('/proc/driver/nvidia/gpus').toSorted();
  } catch {
    return null;
  }
}

/** Which processes compute on the cards, and of which cards that was told. */
async function askProcesses(ask: Ask, cards: readonly Card[]) {
  const question = [`--query-compute-apps=${PROCESS_QUERY}`, FORMAT];
  const isWhole = (answer: Answer): boolean =>
    answer.kind === 'said' && answer.whole && isProcessList(answer.output);
  const all = await ask(...question);
  let outputs = all.kind === 'said' ? [all.output] : [];
  const listed = new Set<string>();
  if (isWhole(all)) cards.forEach(({ gpu }) => listed.add(gpu.uuid));
  else if (cards.length <= MOST_CARDS)
    // One card in the way of the list keeps nothing of the others from being told.
    for (const { gpu } of cards) {
      const answer = await ask(...question, `--id=${gpu.uuid}`);
      if (!isWhole(answer) || answer.kind !== 'said') continue;
      listed.add(gpu.uuid);
      outputs = [...outputs, answer.output];
    }
  const output = outputs.join('\n');
  return { processes: parseProcesses(output), hidden: parseHidden(output), listed };
}

/** The cards of this machine, with the processes that compute on each, and with what keeps a card from being used. */
export async function probeGpus(loginPath: LoginPath): Promise<GpuProbe> {
  const tool = await findTool(loginPath);
  if (tool === null) return { kind: 'no-tool' };
  const ask: Ask = (...parameters) => askTool(tool, ...parameters);
  const answer = await askCards(ask);
  if (answer.kind === 'no-tool') return answer;
  const lost = answer.kind === 'cards' ? answer.lost : parseLostCards(answer.message);
  let cards = answer.kind === 'cards' ? answer.cards : [];
  if (cards.length === 0 && lost.length > 0) cards = await askEach(ask);
  if (cards.length === 0)
    return {
      kind: 'broken',
      message:
        answer.kind === 'broken'
          ? answer.message
          : answer.lost.join(' ') || 'nvidia-smi lists no card.',
    };
  const [list, report, { processes, hidden, listed }] = await Promise.all([
    ask('-L'),
    ask('-q', '-x'),
    askProcesses(ask, cards),
  ]);
  return combine(cards, list.kind === 'said' ? parseMigInstances(list.output) : [], processes, {
    reports: report.kind === 'said' ? parseReport(report.output) : [],
    isListed: (card) => listed.has(card),
    hidden,
    lost: [...new Set([...lost, ...(list.kind === 'said' ? missing(list.output, cards) : [])])],
  });
}

/** Cards of the list that no row came of. */
function missing(list: string, cards: readonly Card[]): readonly string[] {
  return [...list.matchAll(/^(GPU \d+): (.*) \(UUID: ([^)\s]+)\)/gm)].flatMap(
    ([, which = '', name = '', uuid]) =>
      cards.some(({ gpu }) => gpu.uuid === uuid) ? [] : [`${which} (${name}) does not answer.`],
  );
}

/** The cards' counters alone, for samples; empty where there are none. */
export async function sampleGpus(loginPath: LoginPath): Promise<readonly Gpu[]> {
  const tool = await findTool(loginPath);
  if (tool === null) return [];
  const answer = await askCards((...parameters) => askTool(tool, ...parameters));
  return answer.kind === 'cards' ? answer.cards.map((card) => card.gpu) : [];
}
