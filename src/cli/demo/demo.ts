import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseJobFile } from '../../main/jobs/job-file.ts';
import { runToEnd } from '../../main/sample/google.ts';
import { openServices, type Services } from '../../main/services.ts';
import type { JobPlan } from '../../shared/plan.ts';
import type { JobView } from '../../shared/views.ts';
import { upload } from '../../transfer/upload.ts';
import { describePlan } from '../commands/run.ts';
import type { Context } from '../context.ts';
import { valueOf, type ExitStatus } from '../exit.ts';
import { liveText, newsBetween } from '../follow-news.ts';
import { formatBytes, formatCount, plural, shellWord } from '../format.ts';
import { progressText } from '../progress.ts';
import { watchJob } from '../watch-job.ts';
import {
  accountTokens,
  createBucket,
  INPUT,
  INPUT_BUCKET,
  OUTPUT,
  OUTPUT_BUCKET,
  readKey,
  startDemoGoogle,
  TRAINER,
  TRAINER_GRANTS,
  type DemoGoogle,
} from './google.ts';
import { guardFolder, proveSearch, searchOnce } from './guard.ts';
import { createNarrator, type Narrator } from './narrator.ts';
import { makePlaces, type DemoPlaces } from './places.ts';
import { endJob } from './tidy.ts';
import { tellWhatNext } from './what-next.ts';
import { verifyOutput } from './verify.ts';

interface Stage {
  readonly context: Context;
  readonly places: DemoPlaces;
  readonly narrator: Narrator;
  readonly google: DemoGoogle;
  readonly services: Services;
  readonly signal: AbortSignal;
}

/** The main job, for real, on an embedded Google, with a home and a vault of its own. */
export async function runDemo(context: Context, keep: boolean): Promise<ExitStatus> {
  const { output } = context;
  const places = valueOf(await makePlaces());
  const narrator = createNarrator(output);
  const interrupt = new AbortController();
  const giveBack = context.takeInterrupts(() => interrupt.abort());
  const signal = AbortSignal.any([interrupt.signal, context.signal]);
  let google: DemoGoogle | undefined;
  let services: Services | undefined;
  try {
    narrator.step('An embedded Google starts on this machine');
    google = await startDemoGoogle(context.files.emulator, places.google);
    narrator.detail(
      `${google.url}: storage, accounts and permissions; nothing leaves this machine.`,
    );
    narrator.detail(
      `Home and passphrase vault are the demo's own, in ${places.root}; yours are not touched.`,
    );
    services = valueOf(
      await openServices({
        env: { ...context.env, ...places.environment, ...google.environment },
        version: context.files.version,
        agentFolder: context.files.agentFolder,
        nodeRuntime: context.files.nodeRuntime,
      }),
    );
    const status = await play({ context, places, narrator, google, services, signal });
    if (status === 0)
      await tellWhatNext({ context, places, google, keep, seconds: narrator.seconds() });
    return status;
  } catch (error) {
    if (!signal.aborted) throw error;
    output.endLive();
    output.note('Interrupted; the demo cleans up.');
    return 130;
  } finally {
    if (services !== undefined) {
      await endJob(services);
      await services.close();
    }
    await google?.stop();
    if (keep) output.line(`home: ${places.home}`);
    else await places.remove();
    giveBack();
  }
}

async function play(stage: Stage): Promise<ExitStatus> {
  const { context, places, narrator, google, services, signal } = stage;
  const { output } = context;

  await makeData(stage);

  narrator.step('A service account gets the three grants that the job needs, and no other');
  narrator.detail(TRAINER);
  for (const { role, bucket, condition } of TRAINER_GRANTS)
    narrator.detail(`  ${role} on ${bucket}${condition === null ? '' : ` if ${condition}`}`);

  narrator.step('Its key file is checked and its key goes to the vault');
  const trainer = await readKey(google.keyFiles.trainer, google.endpoints);
  const secret = Buffer.from(trainer.privateKey, 'base64');
  const card = valueOf(await services.keys.add(google.keyFiles.trainer, { name: 'lab' }));
  narrator.detail(
    `lab: ${card.email}, project ${card.projectId}, fingerprint ${card.fingerprint.slice(0, 16)}…`,
  );
  const check = valueOf(await services.keys.check('lab', signal));
  if (check.result !== 'works') throw new Error(check.problem.message);
  narrator.detail('The key works: Google gave an access token.');
  await rm(google.keyFiles.trainer);
  narrator.detail(
    `The file ${path.basename(google.keyFiles.trainer)} is deleted: the vault alone has the key now.`,
  );
  signal.throwIfAborted();

  narrator.step('The job runs: two workers, input and output in the buckets');
  const guard = guardFolder(secret, places.home);
  const ran = await runJob(stage).finally(() => guard.stop());
  const during = await guard.stop();
  if (ran === null) return 1;
  const { job, plan } = ran;
  signal.throwIfAborted();

  narrator.step(
    'A second account, which may only read the output, compares every object with the manifest',
  );
  const planned = plan.output;
  if (planned === null) throw new Error('The job has no output.');
  const reader = await accountTokens(google.keyFiles.reader, 'read', google.endpoints);
  const verification = await verifyOutput(google.url, reader, planned.prefix, planned.manifest);
  for (const { worker, accuracy, shuffled } of verification.accuracies)
    output.line(
      `worker ${worker}: accuracy ${accuracy.toFixed(3)} (shuffled labels ${shuffled.toFixed(3)})`,
    );
  output.line(`verified ${verification.verified} of ${verification.objects} objects`);
  for (const wrong of verification.wrong) narrator.detail(wrong);

  narrator.step('The private key is searched for in every file of the home');
  const after = await searchOnce(secret, places.home);
  const proof = await proveSearch(secret, places.planted);
  narrator.detail(
    'Every piece of 20 bytes of the key, raw, hexadecimal, base64 in three alignments, lines of the PEM:',
  );
  narrator.detail(
    `${during.rounds} ${during.rounds === 1 ? 'search' : 'searches'} while the job ran, and ${plural(after.files, 'file')} of ${formatBytes(after.bytes)} after it: ` +
      `${formatCount(during.found.length + after.found.length)} found.`,
  );
  narrator.detail(
    `Planted pieces, to see that the search works: ${proof.found} of ${proof.planted} found.`,
  );
  for (const { file, match } of [...during.found, ...after.found])
    narrator.detail(
      `FOUND: ${file} holds ${match.length} bytes of it (${match.encoding}) at ${match.offset}.`,
    );

  const failed =
    verification.verified !== verification.objects ||
    verification.wrong.length > 0 ||
    during.found.length + after.found.length > 0 ||
    during.rounds === 0 ||
    proof.found !== proof.planted ||
    job.state !== 'finished';
  return failed ? 1 : 0;
}

/** Makes the data set and puts it in a bucket, both through the API. */
async function makeData({ context, places, narrator, google, signal }: Stage): Promise<void> {
  const { output, files } = context;
  narrator.step('Two buckets and a data set are made');
  const read = await accountTokens(google.keyFiles.setup, 'write', google.endpoints);
  await createBucket(google, read, INPUT_BUCKET);
  await createBucket(google, read, OUTPUT_BUCKET);
  output.live('drawing the data set');
  valueOf(
    await runToEnd(
      process.execPath,
      [path.join(files.examples, 'digits', 'make-data.js'), places.dataset],
      { env: process.env, signal },
    ),
  );
  const journal = path.join(places.root, 'upload.jsonl');
  const report = valueOf(
    await upload({
      endpoints: google.endpoints,
      tokens: read,
      bucket: INPUT_BUCKET,
      prefix: 'data/',
      source: places.dataset,
      journal,
      onlyOurs: true,
      signal,
      onProgress: (progress) => output.live(progressText('uploading the data set', progress)),
    }),
  );
  output.endLive();
  const first = report.failed[0];
  if (first !== undefined)
    throw new Error(`The data set could not be uploaded: ${first.problem.message}`);
  const large = await stat(path.join(places.dataset, 'unlabelled.bin'));
  narrator.detail(
    `gs://${INPUT_BUCKET}, gs://${OUTPUT_BUCKET}; ${plural(report.objects.length, 'object')} below ${INPUT}/, one of them of ${formatBytes(large.size)}.`,
  );
  await rm(places.dataset, { recursive: true });
  await rm(journal, { force: true });
}

/** Runs the example of examples/digits; null where it did not finish, which was said then. */
async function runJob({
  context,
  places,
  services,
  signal,
}: Stage): Promise<{ readonly job: JobView; readonly plan: JobPlan } | null> {
  const { output, files } = context;
  await writeFile(
    places.jobFile,
    jobFileText(path.join(files.examples, 'digits'), files.nodeRuntime),
  );
  const spec = valueOf(
    parseJobFile(await readFile(places.jobFile, 'utf8'), { path: places.jobFile }),
  );
  const plans: JobPlan[] = [];
  const { id } = valueOf(
    await services.jobs.submit(spec, {
      baseFolder: places.root,
      signal,
      onPlan: (made) => {
        plans.push(made);
        describePlan(made, output);
      },
    }),
  );
  const job = await watchJob(
    services,
    id,
    (now, before) => {
      for (const news of newsBetween(before, now)) {
        if (news.kind === 'warning') output.warn(news.text, news.hint);
        else output.note(`         ${news.text}`);
      }
      output.live(liveText(now));
    },
    signal,
  );
  output.endLive();
  signal.throwIfAborted();
  const plan = plans[0];
  if (job === null || plan === undefined) throw new Error('The job could not be followed.');
  if (job.state === 'finished') return { job, plan };
  output.note(`Error: The job is ${job.state}. ${job.status.problem?.message ?? ''}`);
  if (job.status.problem !== null) output.note(`  ${job.status.problem.hint}`);
  return null;
}

/** The job file of the demo: examples/digits/job.yaml, each worker also on shuffled labels. */
function jobFileText(code: string, node: string): string {
  const worker = (rate: string) => {
    const train = `${shellWord(node)} train.js --lr ${rate}`;
    return `  - ${JSON.stringify(`${train} && ${train} --shuffle-labels --out shuffled`)}`;
  };
  return [
    'name: digits-sweep',
    'host: local',
    `code: { dir: ${JSON.stringify(code)} }`,
    'workers:',
    worker('0.05'),
    worker('0.005'),
    'env: { SEED: "1", NOTE: "a=b" }',
    `input: { gcs: ${INPUT}, key: lab }`,
    `output: { gcs: ${OUTPUT}, key: lab }`,
    '',
  ].join('\n');
}
