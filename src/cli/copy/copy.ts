import type { Progress } from '../../shared/events.ts';
import { formatGcsAddress } from '../../shared/address.ts';
import type { Result } from '../../shared/problem.ts';
import type { Context } from '../context.ts';
import { chooseKey, tokensOf, type KeyOption } from '../credential.ts';
import { valueOf } from '../exit.ts';
import { progressText } from '../progress.ts';
import { tellWaiting, toldTokens } from '../waiting.ts';
import { claimJournals } from './claim.ts';
import { decideCopy } from './decide.ts';
import { copyFromBucket } from './download.ts';
import { tellReport, tellTooLarge, type CopyReport } from './report.ts';
import { copyToBucket } from './upload.ts';

export interface CopyOptions {
  readonly key?: KeyOption;
  readonly keepCompressed?: boolean;
  readonly json?: boolean;
}

/** Copies between a bucket and this machine by the transfer engine of the agent, and tells what came of it. Returns the exit status. */
export async function runCopy(
  context: Context,
  source: string,
  target: string,
  options: CopyOptions,
): Promise<ReturnType<typeof tellReport>> {
  const { output, signal } = context;
  const copy = valueOf(decideCopy(source, target, context.folder));
  const services = await context.services();
  const waiting = tellWaiting(output);
  const tokens = await tokensOf(
    services,
    valueOf(await chooseKey(services, options.key, output)),
    copy.direction === 'download' ? 'read' : 'write',
  );
  const bucketSide = copy.direction === 'download' ? copy.source : copy.target;
  const localSide = copy.direction === 'download' ? copy.target : copy.source;
  const keepCompressed = options.keepCompressed === true;
  // Packed and unpacked files of the same objects are two copies.
  const what = keepCompressed ? `${copy.direction} packed` : copy.direction;
  const sides = [`${what} ${formatGcsAddress(bucketSide)}`, localSide] as const;
  const claim = valueOf(await claimJournals(services.paths.home, ...sides));
  const common = {
    endpoints: services.endpoints,
    tokens: toldTokens(tokens, waiting.onRetry),
    onRetry: waiting.onRetry,
    journal: claim.folder,
    signal,
    onWarning: (message: string, hint: string) => output.warn(message, hint),
    onProgress: (progress: Progress) => {
      if (progress.bytes > 0 || progress.objects > 0) waiting.arrived();
      output.live(progressText('copying', progress));
    },
  };
  let copied: Result<CopyReport> | undefined;
  try {
    copied =
      copy.direction === 'download'
        ? await copyFromBucket({ ...common, copy, keepCompressed })
        : await copyToBucket({
            ...common,
            copy,
            onTooLarge: (files) => tellTooLarge(output, files),
          });
  } finally {
    waiting.arrived();
    const whole = copied?.ok === true && copied.value.failed.length === 0;
    await claim.release(whole);
  }
  return tellReport(output, valueOf(copied), options.json === true);
}
