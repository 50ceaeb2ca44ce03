import * as z from 'zod';
import type { TokenSource } from '../../google/access-token.ts';
import { manifestSchema, type Manifest } from '../../shared/manifest.ts';
import { crc32c } from '../../transfer/native-crc32c.ts';
import { encodeCrc32c } from '../../transfer/crc32c.ts';
import { OUTPUT_BUCKET, request } from './google.ts';

const metricsSchema = z.object({ accuracy: z.number(), labels: z.enum(['true', 'shuffled']) });
const listSchema = z.object({
  items: z.array(z.object({ name: z.string() })).optional(),
  nextPageToken: z.string().optional(),
});

export interface Accuracy {
  readonly worker: number;
  readonly accuracy: number;
  readonly shuffled: number;
}

export interface Verification {
  readonly objects: number;
  readonly verified: number;
  /** What is wrong, in words. */
  readonly wrong: readonly string[];
  readonly accuracies: readonly Accuracy[];
}

const PARALLEL = 8;

/**
 * Reads the output back with an account of its own and compares every object's bytes with the manifest (size and CRC32C), and the
 * bucket's list with the manifest's. `prefix` ends with `/`.
 */
export async function verifyOutput(
  url: string,
  tokens: TokenSource,
  prefix: string,
  manifestObject: string,
): Promise<Verification> {
  const bucket = `${url}/storage/v1/b/${OUTPUT_BUCKET}/o`;
  const read = async (name: string): Promise<Uint8Array> =>
    new Uint8Array(
      await (
        await request(tokens, `${bucket}/${encodeURIComponent(name)}?alt=media`)
      ).arrayBuffer(),
    );
  const manifest: Manifest = manifestSchema.parse(
    JSON.parse(Buffer.from(await read(manifestObject)).toString()),
  );

  const wrong: string[] = [];
  let verified = 0;
  const metrics = new Map<string, z.infer<typeof metricsSchema>>();
  const waiting = [...manifest.objects];
  const lane = async (): Promise<void> => {
    for (let object = waiting.pop(); object !== undefined; object = waiting.pop()) {
      const bytes = await read(object.name);
      if (bytes.length !== object.size)
        wrong.push(`${object.name} has ${bytes.length} bytes, the manifest says ${object.size}`);
      else if (encodeCrc32c(crc32c(bytes, 0)) !== object.crc32c)
        wrong.push(`${object.name} has another checksum than the manifest says`);
      else verified += 1;
      if (object.name.endsWith('/metrics.json'))
        metrics.set(
          object.name.slice(prefix.length),
          metricsSchema.parse(JSON.parse(Buffer.from(bytes).toString())),
        );
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));

  const expected = new Set([manifestObject, ...manifest.objects.map((object) => object.name)]);
  for (const name of await listNames(bucket, tokens, prefix))
    if (!expected.has(name)) wrong.push(`${name} is in the bucket but not in the manifest`);

  const accuracies = manifest.workers.map(({ index }) => ({
    worker: index,
    accuracy: metrics.get(`worker-${index}/metrics.json`)?.accuracy ?? Number.NaN,
    shuffled: metrics.get(`worker-${index}/shuffled/metrics.json`)?.accuracy ?? Number.NaN,
  }));
  return { objects: manifest.objects.length, verified, wrong, accuracies };
}

async function listNames(
  bucket: string,
  tokens: TokenSource,
  prefix: string,
): Promise<readonly string[]> {
  const names: string[] = [];
  let pageToken: string | undefined;
  do {
    const query = new URLSearchParams({
      prefix,
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    const page = listSchema.parse(
      await (await request(tokens, `${bucket}?${query.toString()}`)).json(),
    );
    names.push(...(page.items ?? []).map((item) => item.name));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return names;
}
