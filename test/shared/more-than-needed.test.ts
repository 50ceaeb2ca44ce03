import { describe, expect, it } from 'vitest';
import type { AccessReport, AccessUse } from '../../src/shared/access-check.ts';
import { moreThanTheJobNeeds } from '../../src/shared/more-than-needed.ts';

const READS = ['storage.objects.list', 'storage.objects.get'];
const CREATES = 'storage.objects.create';
const check = (
  address: string,
  use: AccessUse,
  held: readonly string[],
  account: string | null = 'lab@demo.iam.gserviceaccount.com',
): AccessReport => ({
  address,
  for: use,
  account,
  verdict: 'pass',
  rungs: [],
  power: { state: 'nothing-found', findings: [], asked: [] },
  held: [...held],
  more: [],
});
const told = (...reports: readonly AccessReport[]) => {
  const more = moreThanTheJobNeeds(reports);
  return reports.map((report) => more.get(report) ?? []);
};

describe('what a key can do beyond its job', () => {
  it('counts input and output in one bucket together, and tells it once', () => {
    const all = [...READS, CREATES];
    const [input, output] = told(
      check('gs://one/data/', 'input', all),
      check('gs://one/results/', 'output', all),
    );
    expect(input).toEqual([
      'In gs://one the key can read every object of the bucket, not only the input.',
      'In gs://one the key can create objects anywhere in the bucket, not only below the output.',
    ]);
    expect(output).toEqual([]);
    expect(told(check('gs://one', 'input', all), check('gs://one/', 'output', all)).flat()).toEqual(
      [],
    );
  });

  it('says for a bucket of one use alone what the other would need', () => {
    expect(told(check('gs://one/', 'input', [...READS, CREATES]))).toEqual([
      ['It can create objects in the input’s bucket.'],
    ]);
    expect(told(check('gs://two/', 'output', [...READS, CREATES]))).toEqual([
      ['It can read the objects of the output’s bucket.', 'It can list the output’s bucket.'],
    ]);
  });

  it('keeps buckets and accounts apart', () => {
    const [input, output] = told(
      check('gs://one/', 'input', [...READS, CREATES]),
      check('gs://one/', 'output', [CREATES], 'other@demo.iam.gserviceaccount.com'),
    );
    expect(input).toEqual(['It can create objects in the input’s bucket.']);
    expect(output).toEqual([]);
    expect(
      told(check('gs://one/', 'input', [...READS, CREATES]), check('gs://two/', 'output', READS)),
    ).toEqual([
      ['It can create objects in the input’s bucket.'],
      ['It can read the objects of the output’s bucket.', 'It can list the output’s bucket.'],
    ]);
    expect(told(check('gs://one/', 'input', READS, null))).toEqual([[]]);
  });
});
