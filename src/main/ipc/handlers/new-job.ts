import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { HostProbe } from '../../../shared/agent-protocol.ts';
import type { CodeState } from '../../../shared/events.ts';
import type { HandlersOf } from '../../../shared/ipc.ts';
import type { NEW_JOB_CALLS } from '../../../shared/ipc/new-job.ts';
import type { JobSpec } from '../../../shared/job-spec.ts';
import { fail, ok, problem, type Problem, type Result } from '../../../shared/problem.ts';
import { refusals } from '../../jobs/job-file-mistakes.ts';
import { readJobFile } from '../../jobs/job-file.ts';
import { lookAtCheckout, lookAtRepository } from '../../jobs/look-at-code.ts';
import { mentionInCode } from '../../jobs/look-for-key-file.ts';
import { measureObjects } from '../../jobs/measure-objects.ts';
import { lookForTakenNames } from '../../jobs/output-taken.ts';
import { eligibleGpus } from '../../../shared/gpu-choice.ts';
import { chooseGpus, gpuRules, refuseGpus } from '../../jobs/choose-gpus.ts';
import { templatesIn } from '../../jobs/templates.ts';
import { accessService } from '../../keys/access-service.ts';
import type { Services } from '../../services.ts';
import { questions } from '../questions.ts';
import type { WindowShell } from '../window-shell.ts';

/** The only host of this version. */
const HOST = 'local';
/** How long what a machine has is taken as known, and how long minting may take. Milliseconds. */
const PROBE_AGE = 15_000;
const MINT_TIME = 15_000;

const NO_CHECKOUT: CodeState = { commit: null, branch: null, dirty: null, unpushed: null };

export function newJobHandlers(
  services: Services,
  shell: Pick<WindowShell, 'pick'>,
): HandlersOf<typeof NEW_JOB_CALLS> {
  const { keys, endpoints, hosts, jobs, paths } = services;
  const parts = { keys, endpoints };
  const access = accessService(services);
  const asked = questions();
  const templates = () => templatesIn(join(paths.home, 'templates'));
  let draft: string | null = null;
  let probed: { readonly at: number; readonly probe: HostProbe } | null = null;

  const getsAccess = async (
    name: string,
    purpose: 'read' | 'write',
    signal: AbortSignal,
  ): Promise<Result<string>> => {
    const card = await keys.find(name);
    if (!card.ok) return card;
    const minted = await keys.mint(card.value.id, purpose, endpoints, {
      signal,
      timeoutMs: MINT_TIME,
      use: { operation: `${purpose}-token`, reason: 'form', job: null },
    });
    return minted.ok ? ok(card.value.email) : minted;
  };

  const probeHost = async (signal: AbortSignal): Promise<Result<HostProbe>> => {
    if (probed !== null && performance.now() - probed.at < PROBE_AGE) return ok(probed.probe);
    const host = hosts.get(HOST);
    const probe = host.ok ? await host.value.probe(signal) : host;
    if (probe.ok) probed = { at: performance.now(), probe: probe.value };
    return probe;
  };

  return {
    'new-job-cancel': async ({ question }) => {
      asked.cancel(question);
      return ok(undefined);
    },
    'new-job-keys': async () => {
      const cards = await keys.list();
      return cards.ok ? ok(cards.value.map(({ name, email }) => ({ name, email }))) : cards;
    },
    'new-job-pick-folder': async ({ purpose }) => {
      const [chosen] = await shell.pick({
        title: purpose === 'code' ? 'The folder of the code' : 'The folder of the input',
        button: 'Use this folder',
        what: 'folder',
      });
      return ok(chosen ?? null);
    },
    'new-job-check-key': ({ question, key }) =>
      asked.answer(question, async (signal) => {
        const email = await getsAccess(key, 'read', signal);
        return email.ok ? ok({ email: email.value }) : email;
      }),
    'new-job-check-objects': ({ question, gcs, key }) =>
      asked.answer(question, (signal) => measureObjects(parts, { gcs, key }, signal)),
    'new-job-check-access': ({ question, gcs, key, for: use }) =>
      asked.answer(question, (signal) => access.check({ address: gcs, key, for: use }, signal)),
    'new-job-check-folder': ({ question, path, purpose }) =>
      asked.answer(question, async (signal) => {
        const host = hosts.get(HOST);
        if (!host.ok) return host;
        const found = isAbsolute(path) ? await host.value.isFolder(path) : ok(false);
        if (!found.ok) return found;
        if (!found.value) return fail(noFolder(path));
        return ok(
          purpose === 'code' ? await lookAtCheckout(path, process.env, signal) : NO_CHECKOUT,
        );
      }),
    'new-job-check-key-file': ({ question, path }) =>
      asked.answer(question, async (signal) => {
        const found = isAbsolute(path) ? await mentionInCode(path, signal) : null;
        return ok({ where: found?.where ?? null, word: found?.word ?? null });
      }),
    'new-job-check-git': ({ question, url, ref }) =>
      asked.answer(question, (signal) => lookAtRepository({ url, ref }, process.env, signal)),
    'new-job-check-output': ({ question, gcs, key, archive, layout, workers }) =>
      asked.answer(question, async (signal) => {
        const email = key === null ? ok(null) : await getsAccess(key, 'write', signal);
        if (!email.ok) return email;
        const output = { gcs, archive, layout, ...(key === null ? {} : { key }) };
        const commands = Array.from({ length: workers }, () => 'true');
        const [taken] = await lookForTakenNames(parts, { output, workers: commands }, signal);
        return ok({ email: email.value, taken: taken ?? null });
      }),
    'new-job-check-host': ({ question, gpus, workers }) =>
      asked.answer(question, async (signal) => {
        const probe = await probeHost(signal);
        if (!probe.ok) return probe;
        const commands = Array.from({ length: workers }, () => 'true');
        const wanted = { resources: { gpus }, workers: commands, host: HOST };
        const rules = gpuRules(services.env, services.settings);
        const all = probe.value.gpus.kind === 'gpus' ? probe.value.gpus.gpus : [];
        const cards = eligibleGpus(all, { each: gpus, only: chooseGpus(rules, all).only });
        return ok({
          hostname: probe.value.hostname,
          disk: probe.value.disk,
          gpus: cards.map(({ name, processes, needsReset, blocked }) => ({
            name,
            busy: processes.length > 0 || needsReset === true || blocked !== undefined,
          })),
          refusal: gpus === 0 ? null : refuseGpus(wanted, probe.value, rules),
        });
      }),
    'new-job-parse': async ({ text }) => {
      const read = readJobFile(text);
      return ok({ spec: read.spec, mistakes: [...(read.mistakes ?? [])] });
    },
    'new-job-start': async ({ spec }) => {
      const refusal = refuseToStart(spec);
      if (refusal !== null) return fail(refusal);
      const submitted = await jobs.submit(spec, { baseFolder: homedir() });
      if (!submitted.ok) return submitted;
      return ok({ id: submitted.value.id, warnings: [...submitted.value.warnings] });
    },
    'new-job-draft': async () => ok(draft),
    'new-job-keep-draft': async (given) => {
      draft = given.draft;
      return ok(undefined);
    },
    'new-job-templates': async () => {
      const names = await templates().list();
      return names.ok ? ok([...names.value]) : names;
    },
    'new-job-template': ({ name }) => templates().read(name),
    'new-job-save-template': async ({ name, text }) => {
      const saved = await templates().save(name, text);
      return saved.ok ? ok(undefined) : saved;
    },
    'new-job-remove-template': async ({ name }) => {
      const removed = await templates().remove(name);
      return removed.ok ? ok(undefined) : removed;
    },
  };
}

/** What a job file's reader refuses, and paths that no folder gives a meaning. */
function refuseToStart(spec: JobSpec): Problem | null {
  const [mistake] = refusals(spec);
  const about = { op: 'start the job', subject: spec.name } as const;
  if (mistake !== undefined)
    return problem({ ...about, code: 'input.job-file', message: mistake.message });
  const folders = [spec.code, spec.input].flatMap((from) =>
    from !== undefined && 'dir' in from ? [from.dir] : [],
  );
  const relative = folders.find((folder) => !isAbsolute(folder));
  return relative === undefined ? null : noFolder(relative);
}

function noFolder(path: string): Problem {
  return problem({
    code: 'input.folder',
    op: 'check the job',
    subject: path,
    message: isAbsolute(path)
      ? `There is no folder ${path} on this machine.`
      : `${path} is not a whole path.`,
    hint: isAbsolute(path)
      ? 'Choose another with the button beside it.'
      : 'Write the path from the root of the disk, or choose the folder with the button beside it.',
  });
}
