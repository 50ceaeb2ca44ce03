import { createHash } from 'node:crypto';
import type { Operation } from '../operation.ts';
import type { Fault, FaultRule, Pattern } from './rules.ts';

/** What rules look at. */
export interface About {
  readonly method: string;
  readonly operation: Operation;
  readonly bucket: string | null;
  readonly object: string | null;
}

/** A rule's fault for one request. */
export interface Drawn {
  readonly name: string;
  readonly fault: Fault;
  /** 0 to 1, from the rule's seed. */
  readonly chance: number;
  /** Says that it really happened. */
  readonly took: () => void;
}

/** A rule with how many requests it matched, and how often its fault happened. */
export type FaultReport = FaultRule & { readonly matched: number; readonly fired: number };

interface RuleState {
  readonly rule: FaultRule;
  readonly bucket: RegExp | null;
  readonly object: RegExp | null;
  matched: number;
  fired: number;
  /** How many requests matched, and how many were meant, by what is counted. */
  readonly counts: Map<string, { matched: number; meant: number }>;
  /** How often chance was asked, by request. */
  readonly asked: Map<string, number>;
}

const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** A pattern as a regular expression on the whole name. */
export function compilePattern(pattern: Pattern): RegExp {
  if (typeof pattern === 'string') return new RegExp(`^${escapeRegExp(pattern)}$`, 'su');
  if ('prefix' in pattern) return new RegExp(`^${escapeRegExp(pattern.prefix)}`, 'su');
  const source = pattern.glob.replace(/\*\*|\*|\?|[^*?]+/g, (part) => {
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    return part === '?' ? '[^/]' : escapeRegExp(part);
  });
  return new RegExp(`^${source}$`, 'su');
}

const among = <T>(wanted: T | readonly T[] | undefined, value: T): boolean =>
  wanted === undefined || (Array.isArray(wanted) ? wanted.includes(value) : wanted === value);

/** Whether a fault befalls the request as it comes, or its answer once that is known. */
export function momentOf(fault: Fault): 'request' | 'answer' {
  switch (fault.kind) {
    case 'status':
      return fault.done ? 'answer' : 'request';
    case 'latency':
    case 'expired-session':
    case 'expired-token':
    case 'clock':
      return 'request';
    case 'bandwidth':
    case 'reset':
    case 'stall':
    case 'wrong-byte':
      return fault.of;
    case 'delay':
    case 'short-body':
    case 'long-body':
    case 'wrong-length':
    case 'lost-answer':
      return 'answer';
  }
}

function answersTo(rule: FaultRule, status: number): boolean {
  const { kind } = rule.fault;
  const wanted = rule.answered ?? (kind === 'delay' || kind === 'bandwidth' ? 'any' : 'success');
  if (wanted === 'any') return true;
  return wanted === 'success' ? status >= 200 && status < 300 : wanted.includes(status);
}

/** The rules in force, and how often each fired. */
export class FaultRegister {
  /** Whether requests may change the rules. */
  readonly controllable: boolean;
  #states: readonly RuleState[] = [];

  constructor(controllable: boolean, rules: readonly FaultRule[]) {
    this.controllable = controllable;
    this.set(rules);
  }

  get active(): boolean {
    return this.#states.length > 0;
  }

  /** A rule looks at names of objects. */
  get namesMatter(): boolean {
    return this.#states.some(({ rule }) => rule.object !== undefined || rule.countBy === 'object');
  }

  /** Puts rules in force, none fired yet. */
  set(rules: readonly FaultRule[]): void {
    this.#states = rules.map((rule) => ({
      rule,
      bucket: rule.bucket === undefined ? null : compilePattern(rule.bucket),
      object: rule.object === undefined ? null : compilePattern(rule.object),
      matched: 0,
      fired: 0,
      counts: new Map(),
      asked: new Map(),
    }));
  }

  report(): readonly FaultReport[] {
    return this.#states.map(({ rule, matched, fired }) => ({ ...rule, matched, fired }));
  }

  /** The faults that befall a request: those of the request itself (`status` null), or of its answer. */
  draw(about: About, status: number | null): readonly Drawn[] {
    return this.#states.flatMap((state) => {
      const { rule } = state;
      if (momentOf(rule.fault) !== (status === null ? 'request' : 'answer')) return [];
      if (!matches(state, about) || (status !== null && !answersTo(rule, status))) return [];
      const chance = this.#select(state, about);
      if (chance === null) return [];
      const took = (): void => {
        state.fired += 1;
      };
      return [{ name: rule.name ?? rule.fault.kind, fault: rule.fault, chance, took }];
    });
  }

  /** Counts the request. `null`: the rule spares it. */
  #select(state: RuleState, about: About): number | null {
    const { rule } = state;
    state.matched += 1;
    const key = `${about.operation} ${about.bucket ?? ''}/${about.object ?? ''}`;
    const counted = rule.countBy === 'object' ? key : '';
    const counts = state.counts.get(counted) ?? { matched: 0, meant: 0 };
    state.counts.set(counted, counts);
    counts.matched += 1;
    const place = counts.matched - rule.after;
    if (place <= 0 || place % rule.every !== 0) return null;
    counts.meant += 1;
    if (rule.first !== undefined && counts.meant > rule.first) return null;
    const nth = (state.asked.get(key) ?? 0) + 1;
    state.asked.set(key, nth);
    if (chanceOf(`${rule.seed} ${nth} ${key}`) >= rule.probability) return null;
    return chanceOf(`spread ${rule.seed} ${nth} ${key}`);
  }
}

/** 0 to 1 without 1, the same for the same text. */
function chanceOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}

function matches({ rule, bucket, object }: RuleState, about: About): boolean {
  return (
    among(rule.method, about.method) &&
    among(rule.operation, about.operation) &&
    (bucket === null || (about.bucket !== null && bucket.test(about.bucket))) &&
    (object === null || (about.object !== null && object.test(about.object)))
  );
}
