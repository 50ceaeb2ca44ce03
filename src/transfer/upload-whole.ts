import { randomBytes } from 'node:crypto';
import type { Attempt } from '../google/retry.ts';
import { ok, problem, type Result } from '../shared/problem.ts';
import { encodeCrc32c } from './crc32c.ts';
import { crc32c } from './native-crc32c.ts';
import {
  attemptedEarlier,
  fingerprintOf,
  mayHaveBeenCreated,
  readCreated,
  settle,
  uploadPath,
  type Attempted,
  type Outcome,
  type Uploaded,
  type UploadContext,
  type UploadItem,
} from './upload-object.ts';
import {
  addressOf,
  brokenOff,
  exchangeOnce,
  refusalOf,
  retried,
  textOf,
  type WireRequest,
} from './wire.ts';

/** Files below this go up in one request. */
export const WHOLE_LIMIT = 8 * 1024 * 1024;
/** How often a request may arrive damaged before it is no accident. */
const DAMAGED_ATTEMPTS = 3;
const DAMAGED_BYTES = 'The bucket received other bytes than were sent, and refused them.';
const DAMAGED_NAME =
  'The bucket received another name than was sent, and made an object of that name.';
/** Longer bodies are sent in pieces, so that progress shows and a slow connection is told from a dead one. */
const PIECE = 256 * 1024;

/** A multipart/related body of metadata and bytes (https://cloud.google.com/storage/docs/uploading-objects#rest-upload-objects). */
function multipart(
  metadata: object,
  contentType: string,
  bytes: Uint8Array,
): {
  readonly type: string;
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly length: number;
} {
  const boundary = `trainyard-${randomBytes(16).toString('hex')}`;
  const head = Buffer.from(
    `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify(metadata)}\r\n` +
      `--${boundary}\r\nContent-Type: ${contentType}\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    type: `multipart/related; boundary=${boundary}`,
    head,
    tail,
    length: head.length + bytes.length + tail.length,
  };
}

async function* inPieces(
  head: Uint8Array,
  bytes: Uint8Array,
  tail: Uint8Array,
  sent: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  yield head;
  for (let at = 0; at < bytes.length; at += PIECE) {
    const piece = bytes.subarray(at, at + PIECE);
    yield piece;
    sent(piece.length);
  }
  yield tail;
}

/**
 * Makes one object of bytes in memory, in one request that carries their checksum: the bucket refuses what does not match.
 * Needs `storage.objects.create` alone. The intent is on the disk before the request is sent.
 * Errors: `storage.exists`, `transfer.checksum`, `transfer.damaged`, those of the access and the network.
 */
export async function uploadWhole(
  context: UploadContext,
  item: UploadItem,
  bytes: Uint8Array,
): Promise<Result<Uploaded>> {
  const { wire, meter } = context;
  const subject = addressOf(wire.bucket, item.name);
  const checksum = encodeCrc32c(crc32c(bytes, 0));
  let attempted: Attempted = attemptedEarlier(context, item) ? 'earlier' : 'never';
  const doubt = () => {
    if (attempted === 'never') attempted = 'now';
  };
  await context.journal.intent(fingerprintOf(item));
  let counted = 0;
  const sent = (count: number) => {
    counted += count;
    meter.bytes(count);
  };
  const body = multipart(
    { name: item.name, contentType: item.contentType, crc32c: checksum },
    item.contentType,
    bytes,
  );

  const request = (): WireRequest => {
    sent(-counted);
    const small = bytes.length <= PIECE;
    return {
      op: 'upload',
      subject,
      object: item.name,
      method: 'POST',
      path: uploadPath(wire, 'multipart', item.name),
      headers: { 'content-type': body.type, 'content-length': String(body.length) },
      permission: 'storage.objects.create',
      body: small
        ? Buffer.concat([body.head, bytes, body.tail])
        : inPieces(body.head, bytes, body.tail, sent),
    };
  };
  let wrong = 0;
  const mayTryAgain = () => wrong + 1 < DAMAGED_ATTEMPTS;
  const again = (message: string): Attempt<Outcome> => {
    const retryable = mayTryAgain();
    wrong += 1;
    return {
      ok: false,
      problem: problem({
        code: 'transfer.damaged',
        op: 'upload',
        subject,
        message,
        hint: 'Start again; if it goes on, a proxy may change the bytes.',
        retryable,
      }),
    };
  };
  const outcome = await retried<Outcome>(
    wire,
    'upload',
    subject,
    async ({ token }) => {
      const made = request();
      try {
        const attempt = await exchangeOnce(wire, token, made, async (answer) => {
          if (answer.statusCode !== 400) {
            const read = await readCreated(wire, made, answer);
            const misnamed =
              read.ok && 'created' in read.value && read.value.created.name !== item.name;
            return misnamed ? again(DAMAGED_NAME) : read;
          }
          const text = await textOf(wire, answer);
          if (/crc32c|checksum|hash/i.test(text)) return again(DAMAGED_BYTES);
          // The frame that was sent is right: what the bucket does not understand was damaged on the way, until it is so again and again.
          const refused = await refusalOf<Outcome>(wire, made, answer, text);
          return mayTryAgain() ? again(DAMAGED_BYTES) : refused;
        });
        if (
          !attempt.ok &&
          attempt.problem.code !== 'transfer.damaged' &&
          mayHaveBeenCreated(attempt.problem)
        )
          doubt();
        return attempt;
      } catch (error) {
        doubt();
        return brokenOff(wire, made, error);
      }
    },
    { bytes: bytes.length },
  );
  const done = outcome.ok
    ? await settle(context, item, outcome.value, checksum, attempted)
    : outcome;
  if (!done.ok) {
    sent(-counted);
    return done;
  }
  sent(item.size - counted);
  meter.object();
  return ok(done.value);
}
