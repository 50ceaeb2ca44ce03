import { spawn } from 'node:child_process';
import { Option, type Command } from 'commander';
import { stringify } from 'yaml';
import type { Services } from '../../main/services.ts';
import type { OpenNotebook } from '../../main/jobs/submit-notebook.ts';
import { WORKER_KEY_MODES, type WorkerKeyMode } from '../../shared/job-spec.ts';
import { hasEnded } from '../../shared/job-status.ts';
import type { JobView } from '../../shared/views.ts';
import {
  ACCEPT_WHOLE,
  ACCEPT_WHOLE_TEXT,
  askNotNarrowed,
  type WholeOption,
} from '../confirm-narrowing.ts';
import type { Context, Environment, Run } from '../context.ts';
import { ProblemExit, usageProblem, valueOf, type ExitStatus } from '../exit.ts';
import { followJob, tellEnd } from '../follow.ts';
import { liveText } from '../follow-news.ts';
import { findJobId } from '../job-id.ts';
import { watchJob } from '../watch-job.ts';
import { describePlan, tellAccess, tellPower, tellPython } from './run.ts';

interface StartOptions extends WholeOption {
  readonly host: string;
  readonly name: string;
  readonly key?: string;
  readonly mode?: WorkerKeyMode;
  readonly input?: string;
  readonly output?: string;
  readonly code?: string;
  readonly gpus: string;
  readonly useBusyGpus?: boolean;
  readonly browser?: boolean;
  readonly follow?: boolean;
  readonly json?: boolean;
}

/** `trainyard notebook`, `notebook open ID`, `notebook job ID`. */
export function registerNotebook(program: Command, run: Run): void {
  const notebook = program
    .command('notebook')
    .description('start your own Jupyter as a job, and open it')
    .option('--host <host>', 'the machine that runs it', 'local')
    .option('--name <name>', 'its name', 'notebook')
    .option('-k, --key <key>', 'a key: for input and output, and handed to the kernels')
    .addOption(
      new Option('--mode <mode>', 'how the kernels get the key (default: token)').choices([
        ...WORKER_KEY_MODES,
      ]),
    )
    .option(
      '-i, --input <address>',
      'gs://bucket/path, or a folder: what lies in TRAINYARD_DATA_PATH',
    )
    .option(
      '-o, --output <address>',
      'gs://bucket/path: where TRAINYARD_OUTPUT_PATH goes when it is stopped',
    )
    .option('--code <folder>', 'a folder, of which the notebook works in a copy')
    .option('--gpus <count>', 'whole cards', '0')
    .option('--use-busy-gpus', 'also cards that others compute on, once no other is free')
    .option('--browser', 'open it in the browser; the default at a terminal with a display')
    .option('--no-browser', 'only print its address')
    .option(ACCEPT_WHOLE, ACCEPT_WHOLE_TEXT)
    .option('--follow', 'stay, and keep its access fresh')
    .option('--json', 'print { "id", "url" }')
    .addHelpText(
      'after',
      '\nStop it, and upload its output: trainyard stop ID\nThe address has a token in it: whoever has it may do what you may do on the machine.',
    )
    .action((options: StartOptions) => run(options, (context) => start(context, options)));

  notebook
    .command('open <id>')
    .description('open a notebook that runs, or print its address')
    .action((id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Pick<StartOptions, 'browser' | 'json'>>();
      return run(options, async (context) => {
        const services = await context.services();
        const found = valueOf(await findJobId(services, id));
        return show(context, found, valueOf(await services.jobs.openNotebook(found)), options);
      });
    });

  notebook
    .command('job <id>')
    .description('print a job file that runs what a notebook did, with its files as the code')
    .option('--file <file>', 'one of its files; default: the notebook that changed last')
    .option('--command <command>', 'what the job is to run')
    .action((id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<{
        readonly file?: string;
        readonly command?: string;
        readonly json?: boolean;
      }>();
      return run(options, async (context) => {
        const { output } = context;
        const services = await context.services();
        const found = valueOf(await findJobId(services, id));
        const spec = valueOf(
          await services.jobs.jobOfNotebook(found, {
            ...(options.file === undefined ? {} : { file: options.file }),
            ...(options.command === undefined ? {} : { command: options.command }),
          }),
        );
        if (options.json === true) output.json(spec);
        else output.line(stringify(spec, { lineWidth: 0 }).trimEnd());
        return 0;
      });
    });
}

async function start(context: Context, options: StartOptions): Promise<ExitStatus> {
  const { output } = context;
  if (!/^\d{1,2}$/.test(options.gpus))
    throw new ProblemExit(
      usageProblem(`--gpus ${options.gpus} is no number of cards.`, 'For example: --gpus 1'),
    );
  if (options.mode !== undefined && options.key === undefined)
    throw new ProblemExit(
      usageProblem(
        '--mode says how a key is handed over, and there is no --key.',
        'Name one: trainyard keys list',
      ),
    );
  const services = await context.services();
  const submitted = valueOf(
    await services.jobs.submitNotebook(
      {
        name: options.name,
        host: options.host,
        key: options.key ?? null,
        mode: options.mode ?? 'token',
        input: options.input ?? null,
        output: options.output ?? null,
        code: options.code ?? null,
        gpus: Number(options.gpus),
        ...(options.useBusyGpus === true ? { useBusyGpus: true } : {}),
      },
      {
        baseFolder: context.folder,
        signal: context.signal,
        ...askNotNarrowed(context, options),
        onPlan: (plan, warnings, more) => {
          describePlan(plan, output);
          tellPython(context.env, plan, output);
          tellPower(services, plan, more, output);
          for (const { message, hint } of warnings) output.warn(message, hint);
        },
      },
    ),
  );
  const { id } = submitted;
  const told = submitted.warnings.map(({ message }) => message);
  const job = await untilReady(context, services, id, told);
  output.endLive();
  if (job === null || job.status.notebook === null) {
    if (context.signal.aborted || job === null) {
      output.note(`The notebook ${id} goes on; see \`trainyard job ${id}\`.`);
      return 130;
    }
    if (options.json === true) output.json({ id, problem: job.status.problem });
    const status = tellEnd(output, job);
    return job.status.problem?.code.startsWith('host.') === true ? 4 : status;
  }
  const shown = show(context, id, valueOf(await services.jobs.openNotebook(id)), options);
  tellAccess(output, id, submitted);
  if (options.follow === true) return (await followJob(context, services, id, job)).status;
  output.note(`Stop it, and upload its output: trainyard stop ${id}`);
  return shown;
}

/** The job once its Jupyter answers, or it has ended; null when the command was interrupted. */
async function untilReady(
  context: Context,
  services: Services,
  id: string,
  /** Warnings that were said before. */
  told: readonly string[],
): Promise<JobView | null> {
  const ready = new AbortController();
  let seen: JobView | null = null;
  await watchJob(
    services,
    id,
    (now) => {
      const { output } = context;
      if (now.status.notebook !== null || hasEnded(now.state)) ready.abort();
      else output.live(now.state === 'running' ? 'Jupyter starts' : liveText(now));
      for (const { message, hint } of now.status.warnings.slice(seen?.status.warnings.length ?? 0))
        if (!told.includes(message)) output.warn(message, hint);
      seen = now;
    },
    AbortSignal.any([context.signal, ready.signal]),
  );
  return seen;
}

/** Prints the address, to whoever asked for it, and opens the browser where there is one. */
function show(
  { output, env, interactive }: Context,
  id: string,
  notebook: OpenNotebook,
  options: Pick<StartOptions, 'browser' | 'json'>,
): ExitStatus {
  if (options.json === true) output.json({ id, url: notebook.url });
  else output.line(notebook.url);
  const wanted = options.browser ?? (interactive && options.json !== true && hasDisplay(env));
  if (wanted) openBrowser(notebook.page);
  return 0;
}

function hasDisplay(env: Environment): boolean {
  return (
    process.platform !== 'linux' ||
    (env['DISPLAY'] ?? '') !== '' ||
    (env['WAYLAND_DISPLAY'] ?? '') !== ''
  );
}

/** By way of a file: a command line, which every user can read, must not have the token in it. */
function openBrowser(page: string): void {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(program, [page], { detached: true, stdio: 'ignore' });
  // Without one the address that was printed serves.
  child.on('error', () => undefined);
  child.unref();
}
