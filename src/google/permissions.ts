import * as z from 'zod';
import { isBucketName } from '../shared/address.ts';
import { fail, problem, type Result } from '../shared/problem.ts';
import { askStorage, type StorageAccess } from './client.ts';

const answerSchema = z.record(z.string(), z.boolean());

export interface PermissionRequest extends StorageAccess {
  readonly bucket: string;
  /** Names such as `storage.objects.list`; `storage.buckets.list` and `.create` belong to projects and give an error here. */
  readonly permissions: readonly string[];
}

/**
 * Which of these permissions the account holds on the whole bucket. Asking needs no permission. One that is not among `held` means "could not
 * tell", never "denied": a grant with a condition on objects is not seen here.
 * Errors: those of `askStorage`.
 */
export async function testBucketPermissions(
  request: PermissionRequest,
): Promise<Result<{ readonly held: readonly string[] }>> {
  const { bucket, permissions } = request;
  const op = 'ask for permissions';
  if (!isBucketName(bucket))
    return fail(
      problem({
        code: 'input.address',
        op,
        subject: bucket,
        message: `"${bucket}" is not a bucket name.`,
      }),
    );
  return askStorage(
    request,
    {
      op,
      subject: `gs://${bucket}/`,
      bucket,
      permission: permissions[0] ?? 'storage.objects.get',
    },
    async (storage) => {
      const [answer] = await storage.bucket(bucket).iam.testPermissions([...permissions]);
      const held = answerSchema.safeParse(answer);
      return held.success
        ? { held: permissions.filter((permission) => held.data[permission] === true) }
        : null;
    },
  );
}
