import { randomInt } from 'node:crypto';
import * as z from 'zod';
import { keyTokenSource, type TokenSource } from '../../google/access-token.ts';
import { jobBoundary } from '../../google/boundary.ts';
import { narrowedTokenSource } from '../../google/downscope.ts';
import { PLATFORM_SCOPE } from '../../shared/key.ts';
import type { JobPlan } from '../../shared/plan.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import type { WorkerTokens } from '../access.ts';
import { errorMessage, readJson, sleep, writeJsonAtomic } from '../files.ts';
import type { JobRun } from '../run.ts';
import { canCheckPeers } from './peer.ts';
import { listenForTokens, type TokenServer } from './server.ts';

const recordSchema = z.strictObject({ port: z.int().min(1).max(65_535) });

/** Below the ports that systems give to outgoing connections: an agent that comes back is to find its port free. */
const PORTS = [20_000, 30_000] as const;
const TRIES = 20;
/** How long the port of the agent before may still be taken. Milliseconds. */
const SAME_PORT_TIME = 5_000;

type Choice = JobPlan['workerKeys'][number];

/**
 * Opens the server that the workers get their tokens from; null where the plan hands out none (no key, or a key file). Workers that run know its
 * port from their environment: an agent that takes the run up opens it there again (`control/token-port.json`).
 * Errors: `host.token-server`, those of `jobBoundary`.
 */
export async function openTokenServer(
  run: JobRun,
  /** Workers run that know the port. */
  known: boolean,
): Promise<Result<TokenServer | null>> {
  const choice = run.plan.workerKeys[0];
  if (choice === undefined || choice.mode === 'key-file') return ok(null);
  const tokens = tokensOf(run, choice);
  if (!tokens.ok) return tokens;
  const { account } = choice;
  const open = (port: number): Promise<TokenServer> =>
    listenForTokens({
      port,
      identity: { email: account.email, projectId: account.projectId, scopes: [PLATFORM_SCOPE] },
      token: (patience) => tokens.value.token(patience),
    });
  try {
    const server = await openAnywhere(run, known, open);
    writeJsonAtomic(run.at(RUN.tokenPort), { port: server.port });
    if (!canCheckPeers) tellUnchecked(run);
    return ok(server);
  } catch (error) {
    return fail(
      problem({
        code: 'host.token-server',
        op: 'hand the key over',
        subject: account.email,
        message: `The server that gives the workers their tokens could not be opened: ${errorMessage(error)}`,
        hint: `Try again with: trainyard retry ${run.plan.id}`,
        retryable: true,
      }),
    );
  }
}

/** Where tokens come from: the key, where the agent holds it (`unattended`), else what the application grants. */
function tokensOf(run: JobRun, { account, mode }: Choice): Result<WorkerTokens> {
  const key = run.plan.unattended ? run.keys.get(account.keyId) : undefined;
  if (key === undefined) return ok(run.access.forWorkers(account));
  const { endpoints } = run.plan;
  if (mode === 'account-token')
    return ok(readyTokens(keyTokenSource(key, [PLATFORM_SCOPE], endpoints)));
  const boundary = jobBoundary(run.plan);
  return boundary.ok
    ? ok(readyTokens(narrowedTokenSource(key, boundary.value, endpoints)))
    : boundary;
}

/** Fetches the first token at once: clients do not wait long. */
function readyTokens(source: TokenSource): WorkerTokens {
  void source.token();
  return { token: () => source.token() };
}

async function openAnywhere(
  run: JobRun,
  known: boolean,
  open: (port: number) => Promise<TokenServer>,
): Promise<TokenServer> {
  const before = readJson(run.at(RUN.tokenPort), recordSchema);
  if (before !== null) {
    const until = performance.now() + (known ? SAME_PORT_TIME : 0);
    for (;;) {
      const server = await open(before.port).catch(() => null);
      if (server !== null) return server;
      if (performance.now() >= until) break;
      await sleep(100);
    }
    if (known) tellTaken(run, before.port);
  }
  for (let tries = 0; tries < TRIES; tries += 1) {
    const server = await open(randomInt(...PORTS)).catch(() => null);
    if (server !== null) return server;
  }
  return open(0);
}

function tellTaken(run: JobRun, port: number): void {
  run.events.append({
    kind: 'warning',
    message: `Another program has taken port ${port} of this machine, where the workers that run look for their tokens: they get none any more, or what that program gives them.`,
    hint: `Stop the job if its workers need the bucket, then: trainyard retry ${run.plan.id}`,
  });
}

/** The runs of this process that were told. */
const told = new Set<string>();

function tellUnchecked(run: JobRun): void {
  if (told.has(run.directory)) return;
  told.add(run.directory);
  run.events.append({
    kind: 'warning',
    message:
      'This machine does not tell which user asks for a token: while the job runs, every user of this machine can get those of its workers.',
    hint: 'On a machine with other users choose mode key-file, whose file only you can read.',
  });
}
