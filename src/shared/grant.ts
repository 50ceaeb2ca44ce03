import * as z from 'zod';

/**
 * How an account is given what a job needs and no more. The three variants differ in how listing below the input's prefix is allowed: it is
 * checked on the bucket, where a condition on objects never matches.
 *
 * - `custom-role`: a role that holds nothing but `storage.objects.list`, on the bucket. Always works; the names of all objects can be seen.
 * - `managed-folder`: roles on folders that the bucket manages. No expressions; names outside stay unseen.
 * - `list-prefix`: a condition on the prefix of the listing. Sources disagree whether policies of buckets evaluate it.
 */
export const GRANT_VARIANTS = ['custom-role', 'managed-folder', 'list-prefix'] as const;
export type GrantVariant = (typeof GRANT_VARIANTS)[number];

export const GRANT_FORMS = ['gcloud', 'terraform', 'console', 'message'] as const;
export type GrantForm = (typeof GRANT_FORMS)[number];

/** What somebody asks for. Addresses are `gs://bucket/path`; at least one of them. */
export interface GrantWish {
  readonly input: string | null;
  readonly output: string | null;
  /** The e-mail address of the service account. */
  readonly account: string;
  readonly variant: GrantVariant;
  /** The project that owns the input's bucket, which the custom role is made in; null where it is not known. */
  readonly project: string | null;
}

const conditionSchema = z.object({ title: z.string(), expression: z.string() });

/** One binding: who may do what on which resource, and under which condition. */
export const grantBindingSchema = z.object({
  /** What it is for. `list`: see the names below the prefix. */
  purpose: z.enum(['list', 'read', 'write']),
  bucket: z.string(),
  /** The managed folder (`data/`) that carries it; null: the bucket does. */
  managedFolder: z.string().nullable(),
  /** `roles/storage...`, or the id of {@link GrantPlan.customRole}. */
  role: z.string(),
  /** As the console shows it. */
  roleTitle: z.string(),
  condition: conditionSchema.nullable(),
  /** One sentence for a reader. */
  why: z.string(),
});
export type GrantBinding = Readonly<z.infer<typeof grantBindingSchema>>;

export const grantPlanSchema = z.object({
  account: z.string(),
  variant: z.enum(GRANT_VARIANTS),
  /** The project of the custom role, where it was given. */
  project: z.string().nullable(),
  customRole: z
    .object({ id: z.string(), title: z.string(), permissions: z.array(z.string()) })
    .nullable(),
  /** Folders to be made, where they are not there. */
  managedFolders: z.array(z.object({ bucket: z.string(), name: z.string() })),
  bindings: z.array(grantBindingSchema),
  /** What the reader should know: what the grants need, and what they show. */
  notes: z.array(z.string()),
});
/** The least grants for a wish, as data: every text of the assistant is made from it. */
export type GrantPlan = Readonly<z.infer<typeof grantPlanSchema>>;

/** When to choose which variant. */
export const VARIANT_WORDS: Readonly<
  Record<GrantVariant, { readonly title: string; readonly when: string }>
> = {
  'custom-role': {
    title: 'Custom role for listing',
    when: 'Always works. The account can see the names of all objects of the input bucket, and open only those below the folder.',
  },
  'managed-folder': {
    title: 'Managed folders',
    when: 'No conditions to maintain, and names outside the folders stay unseen. Needs uniform bucket-level access and somebody who may make managed folders.',
  },
  'list-prefix': {
    title: 'Condition on the listing’s prefix',
    when: 'Needs no custom role, and names outside the folder stay unseen. Google’s own pages disagree on whether a bucket’s policy evaluates it: try it, then check; where listing is refused take the custom role.',
  },
};
