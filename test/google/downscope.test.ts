import { afterEach, describe, expect, test } from 'vitest';
import { parseExpression } from '../../src/emulator/iam/expression.ts';
import { jobBoundary } from '../../src/google/boundary.ts';
import { downscope } from '../../src/google/downscope.ts';
import { isExpressible } from '../../src/google/grants.ts';
import { foldersAbove } from '../../src/google/resources.ts';
import { GOOGLE_ENDPOINTS } from '../../src/shared/endpoints.ts';
import type { InputPlan } from '../../src/shared/plan.ts';
import { problemOf, valueOf } from '../main/temp.ts';
import { fc } from '../support/properties.ts';
import { answerJson, serve, type LocalServer } from './token-server.ts';

const input = (
  bucket: string,
  target: Extract<InputPlan, { kind: 'gcs' }>['target'],
): InputPlan => ({
  kind: 'gcs',
  address: `gs://${bucket}/`,
  bucket,
  target,
  account: null,
});

describe('the boundary of a job', () => {
  test('reads below its input, lists with that prefix, creates below its output', () => {
    const boundary = jobBoundary({
      input: input('in', { kind: 'folder', prefix: 'data/' }),
      output: { bucket: 'out', prefix: 'results/job/1/' },
    });
    expect(boundary).toEqual({
      ok: true,
      value: {
        rules: [
          {
            availableResource: '//storage.googleapis.com/projects/_/buckets/in',
            availablePermissions: ['inRole:roles/storage.objectViewer'],
            availabilityCondition: {
              title: 'this job alone',
              expression:
                "resource.name.startsWith('projects/_/buckets/in/objects/data/') || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('data/')",
            },
          },
          {
            availableResource: '//storage.googleapis.com/projects/_/buckets/out',
            availablePermissions: ['inRole:roles/storage.objectCreator'],
            availabilityCondition: {
              title: 'this job alone',
              expression:
                "resource.name.startsWith('projects/_/buckets/out/objects/results/job/1/') || resource.name.startsWith('projects/_/buckets/out/folders/results/job/1/') || resource.name == 'projects/_/buckets/out/folders/results/' || resource.name == 'projects/_/buckets/out/folders/results/job/'",
            },
          },
        ],
      },
    });
  });

  test('of one object is that object; of a whole bucket the bucket', () => {
    const one = jobBoundary({
      input: input('in', { kind: 'archive', object: 'a.zip', format: 'zip' }),
      output: null,
    });
    expect(one.ok && one.value.rules[0]?.availabilityCondition?.expression).toBe(
      "resource.name == 'projects/_/buckets/in/objects/a.zip'",
    );
    const whole = jobBoundary({ input: input('in', { kind: 'folder', prefix: '' }), output: null });
    expect(whole.ok && whole.value.rules).toEqual([
      {
        availableResource: '//storage.googleapis.com/projects/_/buckets/in',
        availablePermissions: ['inRole:roles/storage.objectViewer'],
      },
    ]);
  });

  test('is refused where there is nothing to reach, and for names that an expression cannot hold', () => {
    const codeOf = (job: Parameters<typeof jobBoundary>[0]) => {
      const result = jobBoundary(job);
      return result.ok ? null : result.problem.code;
    };
    expect(codeOf({ input: null, output: null })).toBe('input.worker-key-nothing');
    expect(codeOf({ input: { kind: 'dir', path: '/data' }, output: null })).toBe(
      'input.worker-key-nothing',
    );
    for (const name of ["it's/", 'a"b/', 'a\\', 'a\u0000', 'a\u007f', 'a\u2028', '\ud800'])
      expect([name, codeOf({ input: null, output: { bucket: 'out', prefix: name } })]).toEqual([
        name,
        'input.worker-key-name',
      ]);
  });

  const text = fc.string({ unit: 'binary', maxLength: 40 });
  const boundaryOf = (name: string) =>
    jobBoundary({ input: null, output: { bucket: 'out', prefix: name } });

  test('whatever the name, it is tests of exactly that name and of the folders above it', () => {
    fc.assert(
      fc.property(text.filter(isExpressible), (name) => {
        const made = valueOf(boundaryOf(name));
        const source = made.rules[0]?.availabilityCondition?.expression ?? '';
        const test = (kind: 'startsWith' | 'equals', text: string) => ({
          kind,
          value: { kind: 'resource', attribute: 'name' },
          text: `projects/_/buckets/out/${text}`,
        });
        expect(parseExpression(source)).toEqual({
          ok: true,
          expression: {
            kind: 'or',
            terms: [
              test('startsWith', `objects/${name}`),
              test('startsWith', `folders/${name}`),
              ...foldersAbove(name)
                .slice(-6)
                .map((folder) => test('equals', `folders/${folder}`)),
            ],
          },
        });
      }),
    );
  });

  test('a name with one sign that could end the test is refused, wherever it stands', () => {
    const controls = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code));
    const sign = fc.constantFrom(
      "'",
      '"',
      '\\',
      ...controls,
      '\u007f',
      '\u0085',
      '\u2028',
      '\ud800',
    );
    fc.assert(
      fc.property(text, sign, text, (before, bad, after) => {
        expect(problemOf(boundaryOf(`${before}${bad} ${after}`)).code).toBe(
          'input.worker-key-name',
        );
      }),
    );
  });
});

describe('narrowing a token', () => {
  let server: LocalServer | null = null;
  afterEach(async () => {
    await server?.stop();
    server = null;
  });
  const now = 1_000_000;
  const boundary = { rules: [{ availableResource: '//r', availablePermissions: ['inRole:x'] }] };
  const ask = (url: string) =>
    downscope(
      { token: 'ya29.source-of-the-token', expiresAt: now + 60_000 },
      boundary,
      { ...GOOGLE_ENDPOINTS, securityTokenService: `${url}/v1/token`, emulated: true },
      {
        email: 'trainer@example.org',
        signal: AbortSignal.timeout(20_000),
        timeoutMs: 5_000,
        now: () => now,
      },
    );

  test('sends the exchange as Google wants it, again after a busy server; without an expiry it lives as long as its source', async () => {
    const bodies: string[] = [];
    server = await serve((_, response, body) => {
      bodies.push(body);
      if (bodies.length === 1) answerJson(response, 503, {});
      else answerJson(response, 200, { access_token: 'narrow', token_type: 'Bearer' });
    });
    expect(await ask(server.url)).toEqual({
      ok: true,
      value: { token: 'narrow', expiresAt: now + 60_000 },
    });
    expect(bodies).toHaveLength(2);
    const form = new URLSearchParams(bodies[1]);
    expect([form.get('grant_type'), form.get('subject_token')]).toEqual([
      'urn:ietf:params:oauth:grant-type:token-exchange',
      'ya29.source-of-the-token',
    ]);
    expect(JSON.parse(form.get('options') ?? '')).toEqual({
      accessBoundary: { accessBoundaryRules: boundary.rules },
    });
  });

  test.each([
    [30, 30_000],
    [3_600, 60_000],
  ])('told %i seconds, it lives %i ms: never longer than its source', async (seconds, lives) => {
    server = await serve((_, response) =>
      answerJson(response, 200, { access_token: 'narrow', expires_in: seconds }),
    );
    expect(await ask(server.url)).toMatchObject({ ok: true, value: { expiresAt: now + lives } });
  });

  test('a refusal is told in words, once, without the token', async () => {
    server = await serve((_, response) =>
      answerJson(response, 400, {
        error: 'invalid_request',
        error_description: 'bad token ya29.source-of-the-token',
      }),
    );
    const refused = await ask(server.url);
    expect(refused).toMatchObject({ ok: false, problem: { code: 'access.narrowing-refused' } });
    expect(JSON.stringify(refused)).not.toContain('source-of-the-token');
    expect(server.count()).toBe(1);
  });
});
