import path from 'node:path';
import type { Command } from 'commander';
import { jobFilePlaces, parseJobFile } from '../../main/jobs/job-file.ts';
import { marksOf } from '../../main/jobs/power-marks.ts';
import { accessService } from '../../main/keys/access-service.ts';
import type { Services } from '../../main/services.ts';
import type { JobPlan } from '../../shared/plan.ts';
import { formatGcsAddress } from '../../shared/address.ts';
import { withoutSecrets } from '../../shared/git.ts';
import {
  ACCEPT_WHOLE,
  ACCEPT_WHOLE_TEXT,
  askNotNarrowed,
  type WholeOption,
} from '../confirm-narrowing.ts';
import { activatedIn, activatedText, binOf } from '../../shared/terminal-environment.ts';
import { markLines } from '../confirm-power.ts';
import type { Environment, Run } from '../context.ts';
import { valueOf } from '../exit.ts';
import { followJob } from '../follow.ts';
import { formatSeconds, formatTime, plural, printable } from '../format.ts';
import { MODE_TEXT } from '../job-text.ts';
import { transferLists } from '../left-out.ts';
import type { Output } from '../output.ts';
import { tellWaiting } from '../waiting.ts';
import { readJobFile } from '../read-job-file.ts';
import { jobJson } from './jobs.ts';

interface RunOptions extends WholeOption {
  readonly useBusyGpus?: boolean;
  readonly detach?: boolean;
  readonly json?: boolean;
}

/** `trainyard run JOB.yaml [--detach]`: checks, submits, follows. */
export function registerRun(program: Command, run: Run): void {
  program
    .command('run <job-file>')
    .description('check a job file, start the job and follow it')
    .option('--use-busy-gpus', 'also use GPUs that others compute on, once no other is free')
    .option('-d, --detach', 'print the id and go back to the shell')
    .option(ACCEPT_WHOLE, ACCEPT_WHOLE_TEXT)
    .option('--json', 'print one JSON document')
    .action((file: string, options: RunOptions) =>
      run(options, async (context) => {
        const { output } = context;
        const jobFile = path.resolve(context.folder, file);
        const jobText = valueOf(await readJobFile(jobFile, file, context.signal));
        const written = valueOf(parseJobFile(jobText, { path: file }));
        const spec =
          options.useBusyGpus === true
            ? { ...written, resources: { ...written.resources, useBusy: true } }
            : written;
        const services = await context.services();
        const waiting = tellWaiting(output);
        const begun = await services.jobs.submit(spec, {
          baseFolder: path.dirname(jobFile),
          placeOf: jobFilePlaces(jobText, { path: file }),
          signal: context.signal,
          onRetry: waiting.onRetry,
          ...askNotNarrowed(context, options),
          onPlan: (plan, warnings, more) => {
            waiting.arrived();
            describePlan(plan, output);
            tellPython(context.env, plan, output);
            tellPower(services, plan, more, output);
            for (const { message, hint } of warnings) output.warn(message, hint);
          },
        });
        waiting.arrived();
        const submitted = valueOf(begun);
        const admin = marksOf(submitted.plan, accessService(services));
        if (options.detach === true) {
          tellDetached(
            output,
            submitted.id,
            submitted,
            options.json === true
              ? {
                  id: submitted.id,
                  ...(admin.length === 0 ? {} : { admin }),
                  ...(submitted.warnings.length === 0 ? {} : { warnings: submitted.warnings }),
                }
              : null,
          );
          return 0;
        }
        const { status, job } = await followJob(
          context,
          services,
          submitted.id,
          null,
          submitted.warnings.map(({ message }) => printable(message)),
        );
        if (options.json === true && job !== null)
          output.json({
            ...jobJson(job),
            admin,
            ...(await transferLists(services, job)),
            warnings: submitted.warnings,
          });
        return status;
      }),
    );
}

/** The standing mark of a job with an administrator's key; and, quietly, what a key can do beyond the job. */
export function tellPower(
  services: Services,
  plan: JobPlan,
  more: readonly string[],
  output: Output,
): void {
  for (const line of markLines(marksOf(plan, accessService(services)))) output.warn(line);
  if (more.length === 0) return;
  output.note('  Its keys can do more than this job needs:');
  for (const line of more) output.note(`  - ${printable(line)}`);
}

/** Which `python` the workers will get, where the terminal has a Python environment: the rest only the login shell can tell. */
export function tellPython(env: Environment, { env: own }: JobPlan, output: Output): void {
  if (own['PATH'] !== undefined) return;
  const activated = activatedIn(env);
  const named = env['VIRTUAL_ENV'] ?? env['CONDA_PREFIX'] ?? '';
  if (activated !== null) {
    output.note(
      `  ${output.paint('dim', 'python'.padEnd(8))}${printable(`${binOf(activated)}/python, of ${activatedText(activated)}`)}`,
    );
  } else if (named !== '')
    output.warn(
      `${named} is named as the Python environment of this terminal, but its programs are not in PATH: workers get the python that PATH leads to.`,
      'Activate it again, then start the job.',
    );
}

/** What is about to happen, before it does. */
export function describePlan(plan: JobPlan, output: Output): void {
  const row = (title: string, text: string) =>
    output.note(`  ${output.paint('dim', title.padEnd(8))}${printable(text)}`);
  output.note(`Job ${output.paint('bold', plan.id)} (${plan.name}) on ${plan.host}`);
  row('code', codeText(plan.code));
  const gpus = plan.gpusPerWorker === 0 ? 'no GPU' : plural(plan.gpusPerWorker, 'GPU');
  const although = plan.useBusyGpus === true ? ', also ones that others use' : '';
  row('workers', `${plan.workers.length}, ${gpus} each${although}`);
  if (plan.onlyGpus !== undefined)
    row('cards', plan.onlyGpus.length === 0 ? 'none' : plan.onlyGpus.join(', '));
  if (plan.input !== null)
    row(
      'input',
      plan.input.kind === 'dir'
        ? plan.input.path
        : `${plan.input.address} (${inputText(plan.input)})`,
    );
  for (const { account, mode } of plan.workerKeys)
    row('keys', `workers get ${account.name}, mode ${mode}: ${MODE_TEXT[mode]}`);
  row(
    'output',
    plan.output === null
      ? 'stays in the run directory'
      : `${formatGcsAddress({ bucket: plan.output.bucket, path: plan.output.prefix })}${plan.output.account === null ? ', no key' : `, key ${plan.output.account.name}`}`,
  );
}

function codeText(code: JobPlan['code']): string {
  switch (code.kind) {
    case 'empty':
      return 'an empty folder';
    case 'dir':
      return code.path;
    case 'git':
      return `${withoutSecrets(code.url)} ${code.ref ?? ''}`;
    case 'gcs':
      return `${code.address} (${inputText(code)})`;
  }
}

function inputText(input: Extract<JobPlan['code' | 'input'], { readonly kind: 'gcs' }>): string {
  const what = {
    folder: 'everything below it',
    object: 'one object',
    archive: 'an archive, unpacked',
  }[input.target.kind];
  return input.account === null ? `${what}, no key` : `${what}, key ${input.account.name}`;
}

/** The id for scripts; how long access lasts and how to finish later, for people. `accessExpiresAt`: milliseconds since 1970, null where nothing runs out. */
export function tellDetached(
  output: Output,
  id: string,
  access: { readonly accessExpiresAt: number | null; readonly accessMissing: object | null },
  /** The document of `--json`; null for people. */
  json: object | null,
): void {
  if (json !== null) output.json(json);
  else output.line(id);
  tellAccess(output, id, access);
  output.note(`  See it with \`trainyard job ${id}\`.`);
}

/** How long its access lasts, and how it gets more. */
export function tellAccess(
  output: Output,
  id: string,
  access: { readonly accessExpiresAt: number | null; readonly accessMissing: object | null },
): void {
  const { accessExpiresAt, accessMissing } = access;
  if (accessMissing !== null)
    output.note(`  Once the network is there: \`trainyard retry ${id}\`.`);
  else if (accessExpiresAt === null)
    output.note('It goes on by itself: its access does not run out.');
  else {
    const left = Math.max(0, (accessExpiresAt - Date.now()) / 1000);
    output.note(
      `Its access to the buckets lasts until ${formatTime(new Date(accessExpiresAt).toISOString())} (${formatSeconds(left)}).`,
    );
    output.note(
      `  If it needs longer, it waits with its output safe until \`trainyard retry ${id}\` gives it new access.`,
    );
  }
}
