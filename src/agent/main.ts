/**
 * The agent program: `start`, `probe`, `sweep` and `version` for hosts, `carry` and `supervise` for itself (src/shared/agent-protocol.ts).
 * Each verb loads only what it needs: a supervisor lives as long as its worker, and there may be many.
 */
import path from 'node:path';

const [verb, first, second] = process.argv.slice(2);

function usage(): never {
  process.stderr.write(
    'usage: agent start RUN_DIRECTORY | probe HOME | sweep RUNS | version\nStart it through Trainyard: it expects its secrets on stdin.\n',
  );
  process.exit(2);
}

switch (verb) {
  case 'start':
    if (first === undefined) usage();
    process.exitCode = await (await import('./start.ts')).startAgent(path.resolve(first));
    break;
  case 'carry':
    if (first === undefined) usage();
    process.exit(await (await import('./carry.ts')).carry(path.resolve(first)));
  case 'supervise':
    if (first === undefined || second === undefined || !/^\d+$/.test(second)) usage();
    await (await import('./supervise.ts')).supervise(path.resolve(first), Number(second));
    process.exit(0);
  case 'probe':
    if (first === undefined) usage();
    await (await import('./probe.ts')).printProbe(path.resolve(first));
    break;
  case 'sweep':
    if (first === undefined) usage();
    (await import('./private-folder.ts')).sweepRuns(path.resolve(first), '');
    break;
  case 'version':
    process.stdout.write(`${(await import('./version.ts')).agentVersion()}\n`);
    break;
  default:
    usage();
}
