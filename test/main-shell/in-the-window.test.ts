import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';
import tseslint from 'typescript-eslint';
import { planGrants } from '../../src/google/grant/plan.ts';
import { hintInTheWindow, inTheWindow } from '../../src/main/ipc/in-the-window.ts';
import { goesOn, over, running } from '../../src/main/jobs/refused.ts';
import { findKey, nameTaken } from '../../src/main/keys/names.ts';
import { alreadyThere } from '../../src/main/keys/refusals.ts';
import { initialStatus, type JobStatus } from '../../src/shared/job-status.ts';
import type { KeyCard } from '../../src/shared/key.ts';
import { fail } from '../../src/shared/problem.ts';
import type { JobView } from '../../src/shared/views.ts';
import { problemOf } from '../main/temp.ts';

const COMMAND = /\btrainyard [a-z]/;
const ID = '20261121-090000-aaaaaa';

function job(state: JobStatus['state']): JobView {
  const status = { ...initialStatus(1), state };
  return {
    id: ID,
    name: 'sweep',
    kind: 'training',
    host: 'local',
    createdAt: '2026-11-21T09:00:00.000Z',
    state,
    agent: null,
    workers: status.workers,
    runDirectory: '/home/runs/x',
    output: 'gs://bucket/results',
    status,
  };
}
const card: KeyCard = {
  id: '1',
  name: 'lab',
  email: 'lab@demo-project.iam.gserviceaccount.com',
  projectId: 'demo-project',
  privateKeyId: 'k',
  clientId: null,
  tokenUri: 'https://oauth2.googleapis.com/token',
  fingerprint: 'f',
  addedAt: '2026-11-21T09:00:00.000Z',
  lastUsedAt: null,
  vault: 'passphrase',
};

describe('hints in the window', () => {
  it.each([
    ['a job that is over is stopped', fail(over(job('stopped'), 'stop'))],
    ['one that finished is tried again', fail(over(job('finished'), 'retry'))],
    ['one that was interrupted is uploaded', fail(goesOn(job('interrupted')))],
    ['one that runs is tried again', fail(running(ID))],
    ['a name is taken', nameTaken('lab', card)],
    ['a name is taken by a rename', nameTaken('lab', card, true)],
    ['there is no key', findKey([], 'lab')],
    ['there are others', findKey([card], 'other')],
    ['a key is there', alreadyThere('file.json', card)],
    [
      'an account is none',
      planGrants({
        input: 'gs://bucket/data/',
        output: null,
        account: 'me@example.org',
        variant: 'custom-role',
        project: null,
      }),
    ],
  ])('name no command of the terminal where %s', (_, result) => {
    expect(problemOf(result).hint).toMatch(COMMAND);
    const { hint } = problemOf(inTheWindow(result));
    expect(hint).not.toMatch(COMMAND);
    expect(hint).not.toBe('');
  });

  // Those of every problem that the sources make: scripts/lint/window-hints.mjs looks at each when they are linted.
  it.each([
    ["hint: 'Then: trainyard frobnicate.'", true],
    ["hint: some ? 'Nothing.' : `Look with trainyard jobs --all ${some}.`", true],
    ["code: 'input.other', hint: `Use trainyard keys rename`", true],
    ["code: 'input.key-known', hint: `Use trainyard keys rename`", false],
    ['hint: `Try again with: trainyard retry ${some}`', false],
    ["hint: 'Ask for roles/storage.objectViewer.'", false],
  ])('are linted: { %s } is refused: %s', async (fields, refused) => {
    const eslint = new ESLint({ overrideConfig: [tseslint.configs.disableTypeChecked] });
    const [result] = await eslint.lintText(
      `export const x = (some: string) => ({ ${fields} });\n`,
      {
        filePath: 'src/agent/x.ts',
      },
    );
    const rules = (result?.messages ?? []).map(({ ruleId }) => ruleId);
    expect(rules.includes('window-hints/in-the-window')).toBe(refused);
  });

  it('say where a notebook is started, and how it is opened', () => {
    expect(hintInTheWindow('Start one with: trainyard notebook')).toBe('New notebook starts one');
    expect(
      hintInTheWindow(
        `Go on in a new one with its files: trainyard notebook --code /runs/a b/code`,
      ),
    ).toBe(
      'Go on in a new one with its files: New notebook, with the folder /runs/a b/code as its code',
    );
    expect(
      hintInTheWindow(
        `Open it in a window of its own, or print its address: trainyard notebook open ${ID} --no-browser`,
      ),
    ).toBe('Open it in a window of its own');
    expect(hintInTheWindow('See `trainyard help notebook`.', 'input.notebook')).toBe(
      'Change it in the form, then start the notebook again.',
    );
  });

  it('say what to press', () => {
    const id = '20261121-090000-aaaaaa';
    expect(hintInTheWindow(`Go on with it: trainyard retry ${id}. What was done stays.`)).toBe(
      'Go on with it: press Retry. What was done stays.',
    );
    expect(
      hintInTheWindow(
        `Its output: trainyard logs ${id} --worker 1. Failed workers start again, with the code as it was at the start: trainyard retry ${id}. With other code: run the job anew.`,
      ),
    ).toBe(
      'Its output is in the log of worker 1. Failed workers start again, with the code as it was at the start: press Retry. With other code: run the job anew.',
    );
    expect(
      hintInTheWindow('These are there: a, b. Add another with trainyard keys add FILE.'),
    ).toBe('These are there: a, b. Add another in Keys.');
    expect(hintInTheWindow('whatever', 'input.key-name-taken')).toBe('Give another name.');
    expect(hintInTheWindow('Ask for roles/storage.objectViewer.')).toBe(
      'Ask for roles/storage.objectViewer.',
    );
  });

  it('are found however deep they lie; what holds none is the same value', () => {
    const job = (hint: string) => ({
      jobs: [
        { name: 'a', status: { problem: { code: 'job.x', message: 'm', hint }, warnings: [] } },
      ],
    });
    expect(inTheWindow(job('Try again with: trainyard upload 2026-a'))).toEqual(
      job('Try again with: press Upload again'),
    );
    const same = job('Wait.');
    expect(inTheWindow(same)).toBe(same);
    const bytes = { bytes: new Uint8Array(4), offset: 0 };
    expect(inTheWindow(bytes)).toBe(bytes);
    expect(inTheWindow(null)).toBeNull();
    const vault = { problem: { code: 'input.passphrase-file', message: 'x', hint: 'Set X.' } };
    expect(inTheWindow(vault).problem.message).toBe('The passphrase vault is closed.');
  });
});
