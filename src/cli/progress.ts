import type { Progress } from '../shared/events.ts';
import { formatBytes, formatCount, formatSeconds } from './format.ts';

/** `copying  45 %  1,200 of 3,000 objects  1.2 GiB of 2.6 GiB  120 MiB/s  12 s left` */
export function progressText(what: string, progress: Progress): string {
  const parts = [what];
  if (progress.bytesTotal > 0)
    parts.push(`${Math.min(100, Math.floor((progress.bytes / progress.bytesTotal) * 100))} %`);
  if (progress.objectsTotal > 0)
    parts.push(
      `${formatCount(progress.objects)} of ${formatCount(progress.objectsTotal)} object${progress.objectsTotal === 1 ? '' : 's'}`,
    );
  parts.push(
    progress.bytesTotal > 0
      ? `${formatBytes(progress.bytes)} of ${formatBytes(progress.bytesTotal)}`
      : formatBytes(progress.bytes),
  );
  if (progress.bytesPerSecond > 0) parts.push(`${formatBytes(progress.bytesPerSecond)}/s`);
  if (progress.secondsLeft !== null && progress.bytes < progress.bytesTotal)
    parts.push(`${formatSeconds(progress.secondsLeft)} left`);
  return parts.join('  ');
}
