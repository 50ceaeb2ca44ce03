import type { FaultRuleInput } from '../../src/emulator/faults/rules.ts';

/** What befalls requests of one kind. */
interface Kind {
  readonly share: number;
  readonly rule: FaultRuleInput;
}

const uploads = ['upload-simple', 'upload-start', 'upload-chunk'] as const;

/** Faults of a bad network and a bad day at the other end; the shares add up to one for downloads and for uploads. */
const COMMON: readonly Kind[] = [
  { share: 0.15, rule: { fault: { kind: 'status', status: 503, reason: 'backendError' } } },
  { share: 0.05, rule: { fault: { kind: 'status', status: 503, retryAfter: 1 } } },
  { share: 0.1, rule: { fault: { kind: 'status', status: 429, reason: 'rateLimitExceeded' } } },
  { share: 0.05, rule: { fault: { kind: 'status', status: 502, body: '<h1>Bad gateway</h1>' } } },
  { share: 0.1, rule: { fault: { kind: 'latency', milliseconds: 200, spread: 800 } } },
  { share: 0.1, rule: { fault: { kind: 'reset', after: 0 } } },
  { share: 0.05, rule: { fault: { kind: 'stall', after: 20, milliseconds: 2_000 } } },
];
const DOWN: readonly Kind[] = [
  { share: 0.15, rule: { fault: { kind: 'reset', after: 30_000 } } },
  { share: 0.1, rule: { fault: { kind: 'short-body', bytes: 1_000 } } },
  { share: 0.1, rule: { fault: { kind: 'wrong-byte', at: 5 } } },
  { share: 0.05, rule: { fault: { kind: 'expired-token' } } },
];
const UP: readonly Kind[] = [
  { share: 0.15, rule: { fault: { kind: 'lost-answer' } } },
  { share: 0.1, rule: { fault: { kind: 'status', status: 503, done: true } } },
  { share: 0.1, rule: { fault: { kind: 'reset', after: 30_000, of: 'request' } } },
  { share: 0.05, rule: { operation: 'upload-chunk', fault: { kind: 'expired-session' } } },
  {
    share: 0.05,
    rule: { operation: 'upload-simple', fault: { kind: 'wrong-byte', at: 5, of: 'request' } },
  },
  // A job has three large files: less would never happen.
  {
    share: 1,
    rule: {
      operation: 'upload-chunk',
      fault: { kind: 'wrong-byte', at: 1_000_000, of: 'request' },
    },
  },
];

/** Rules by which about `share` of all requests meet a fault. `seed` makes them others for each job. */
export function faultRules(share: number, seed: number): readonly FaultRuleInput[] {
  const rules = (kinds: readonly Kind[], limits: Partial<FaultRuleInput>, offset: number) =>
    kinds.map(({ share: part, rule }, index) => ({
      ...limits,
      ...rule,
      probability: Math.min(1, part * share),
      seed: (seed + (offset + index) * 7_919) % 2_147_483_647,
    }));
  return [
    ...rules(COMMON, {}, 0),
    ...rules(DOWN, { operation: 'media' }, 20),
    ...rules(UP, { operation: [...uploads] }, 40),
  ];
}
