import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { fail, ok, problem, type Problem, type Result } from '../../../shared/problem.ts';
import { codeOf, reasonOf } from '../../platform/paths.ts';
import { isRuntimeUntouched, placeRuntime } from './runtime.ts';
import { sweepUnfinished, UNFINISHED } from './unfinished.ts';
import { makeFolders } from '../../platform/make-folders.ts';

/** `manifest.json` of a built agent folder: the SHA-256 of each file, hex. */
const manifestSchema = z.object({
  version: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  files: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/), z.string()),
});
type AgentManifest = z.infer<typeof manifestSchema>;

export interface PlacedAgent {
  readonly version: string;
  readonly folder: string;
  readonly node: string;
  readonly program: string;
  /** It was not there before this call. */
  readonly fresh: boolean;
}

/**
 * Copies an agent folder and a Node.js runtime to `<agents>/<version>/`: checked file by file, the runtime too (see `runtime.ts`), put in place by one rename. What is there
 * and whole is left alone; what is there and changed is replaced. Several processes may do it at once.
 * Errors: `host.agent-missing`, `host.agent-not-placed`.
 */
export async function placeAgent(
  agents: string,
  source: { readonly agentFolder: string; readonly nodeRuntime: string | null },
): Promise<Result<PlacedAgent>> {
  const { nodeRuntime } = source;
  if (nodeRuntime === null) return fail(noRuntime(source.agentFolder));
  const manifest = await readManifest(source.agentFolder);
  if (!manifest.ok) return manifest;
  const { version, files } = manifest.value;
  const folder = join(agents, version);
  const placed = (fresh: boolean): Result<PlacedAgent> =>
    ok({ version, folder, node: join(folder, 'node'), program: join(folder, 'agent.mjs'), fresh });
  if (await isWhole(folder, files)) return placed(false);
  await sweepUnfinished(agents);
  const temporary = join(agents, `${UNFINISHED}${version}-${randomBytes(4).toString('hex')}`);
  try {
    makeFolders(join(temporary, 'used'));
    for (const [name, checksum] of Object.entries(files)) {
      await copyFile(
        join(source.agentFolder, name),
        join(temporary, name),
        constants.COPYFILE_FICLONE,
      );
      if ((await checksumOf(join(temporary, name))) !== checksum)
        return fail(notPlaced(folder, `${name} is not what the manifest of the agent says`));
    }
    await copyFile(join(source.agentFolder, 'manifest.json'), join(temporary, 'manifest.json'));
    if (!(await placeRuntime(nodeRuntime, temporary)))
      return fail(notPlaced(folder, `the copy of ${nodeRuntime} is not the same`));
    return placed(await moveIntoPlace(temporary, folder, files));
  } catch (error) {
    return fail(notPlaced(folder, reasonOf(error)));
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Returns false when another process was first. */
async function moveIntoPlace(
  temporary: string,
  folder: string,
  files: AgentManifest['files'],
): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1)
    try {
      await rename(temporary, folder);
      return true;
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(codeOf(error) ?? '') || attempt > 3)
        throw error;
      if (await isWhole(folder, files)) return false;
      const aside = `${folder}.broken-${randomBytes(4).toString('hex')}`;
      await rename(folder, aside).catch(() => undefined);
      await rm(aside, { recursive: true, force: true });
    }
}

async function isWhole(folder: string, files: AgentManifest['files']): Promise<boolean> {
  try {
    for (const [name, checksum] of Object.entries(files))
      if ((await checksumOf(join(folder, name))) !== checksum) return false;
    await readFile(join(folder, 'manifest.json'));
    return await isRuntimeUntouched(folder);
  } catch {
    return false;
  }
}

async function checksumOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

async function readManifest(folder: string): Promise<Result<AgentManifest>> {
  const missing = (message: string): Result<never> =>
    fail(
      problem({
        code: 'host.agent-missing',
        op: 'place the agent',
        subject: folder,
        message,
        hint: 'Install Trainyard again; in a checkout run `npm run setup`.',
      }),
    );
  let text: string;
  try {
    text = await readFile(join(folder, 'manifest.json'), 'utf8');
  } catch (error) {
    return missing(`The agent program is not in ${folder}: ${reasonOf(error)}.`);
  }
  try {
    return ok(manifestSchema.parse(JSON.parse(text)));
  } catch {
    return missing(`The agent program in ${folder} has no manifest that can be read.`);
  }
}

function noRuntime(folder: string): Problem {
  return problem({
    code: 'host.agent-missing',
    op: 'place the agent',
    subject: folder,
    message: 'There is no Node.js 24 to run the agent with.',
    hint: 'Install Trainyard again; in a checkout run `npm run setup`.',
  });
}

function notPlaced(folder: string, reason: string): Problem {
  return problem({
    code: 'host.agent-not-placed',
    op: 'place the agent',
    subject: folder,
    message: `The agent could not be put in place at ${folder}: ${reason}.`,
    hint: 'See that the disk has room (the agent takes about 130 MB) and that the folder is yours.',
    retryable: true,
  });
}

/** Notes that a run uses a placed agent, so that it is not cleaned while the run lives. */
export async function noteUse(agent: PlacedAgent, id: string): Promise<void> {
  const folder = join(agent.folder, 'used');
  makeFolders(folder);
  await writeFile(join(folder, id), '');
}
