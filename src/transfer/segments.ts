/** A stretch of a file that is on the disk, with its own checksum. */
export interface Segment {
  readonly position: number;
  readonly length: number;
  readonly checksum: number;
}

export interface Gap {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Segments in order, without those that overlap an earlier one or end past `size`: a journal is checked before it is trusted. */
export function orderly(segments: readonly Segment[], size: number): readonly Segment[] {
  const kept: Segment[] = [];
  let end = 0;
  for (const segment of [...segments].sort((a, b) => a.position - b.position)) {
    const until = segment.position + segment.length;
    if (segment.position < end || segment.length <= 0 || until > size) continue;
    kept.push(segment);
    end = until;
  }
  return kept;
}

/** What of `size` bytes no segment covers, cut in stretches of at most `limit`. `segments` are orderly. */
export function gapsOf(segments: readonly Segment[], size: number, limit: number): readonly Gap[] {
  const gaps: Gap[] = [];
  const add = (from: number, to: number) => {
    for (let at = from; at < to; at += limit) gaps.push({ from: at, to: Math.min(to, at + limit) });
  };
  let end = 0;
  for (const { position, length } of segments) {
    add(end, position);
    end = position + length;
  }
  add(end, size);
  return gaps;
}
