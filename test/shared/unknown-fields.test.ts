import { expect, it } from 'vitest';
import * as z from 'zod';
import { dropUnknown, keepUnknown } from '../../src/shared/unknown-fields.ts';

const inner = z.strictObject({ a: z.int() });
const schema = z.strictObject({
  plain: inner,
  list: z.array(inner),
  maybe: inner.optional(),
  none: inner.nullable(),
  given: inner.default({ a: 1 }),
  named: z.record(z.string(), inner),
  pair: z.tuple([inner, inner]),
  either: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('x'), x: inner }),
    z.strictObject({ kind: z.literal('y') }),
  ]),
  checked: inner.refine(({ a }) => a > 0),
  turned: inner.transform(({ a }) => a).readonly(),
});
const known = {
  plain: { a: 1 },
  list: [{ a: 2 }],
  maybe: { a: 3 },
  none: null,
  given: { a: 4 },
  named: { n: { a: 5 } },
  pair: [{ a: 6 }, { a: 7 }],
  either: { kind: 'x', x: { a: 8 } },
  checked: { a: 9 },
  turned: { a: 10 },
};
const more = { b: { c: [1] } };
const withMore = {
  ...more,
  ...known,
  plain: { a: 1, ...more },
  list: [{ a: 2, ...more }],
  maybe: { a: 3, ...more },
  given: { a: 4, ...more },
  named: { n: { a: 5, ...more } },
  pair: [{ a: 6, ...more }, { a: 7 }],
  either: { kind: 'x', ...more, x: { a: 8, ...more } },
  checked: { a: 9, ...more },
  turned: { a: 10, ...more },
};

it('keeps what a schema does not know, or drops it, at every depth; the schema itself refuses it', () => {
  expect(schema.safeParse(withMore).success).toBe(false);
  expect(keepUnknown(schema).parse(withMore)).toEqual({ ...withMore, turned: 10 });
  expect(dropUnknown(schema).parse(withMore)).toEqual({ ...known, turned: 10 });
});

it.each([
  ['a wrong type below', { ...known, list: [{ a: 'two' }] }],
  ['a missing field', { ...known, plain: {} }],
  ['a refinement', { ...known, checked: { a: -1 } }],
  ['an unknown kind', { ...known, either: { kind: 'z' } }],
])('still refuses %s', (_what, value) => {
  expect(keepUnknown(schema).safeParse(value).success).toBe(false);
  expect(dropUnknown(schema).safeParse(value).success).toBe(false);
});
