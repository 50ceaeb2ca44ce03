/** What of a path is shown, from its end: the first part, then a mark for what is left out, then the parts from `from` on. */
export interface Folded {
  /** The first part after the mark; 1 where nothing is left out. */
  readonly from: number;
}

/**
 * Decides what of a path has room. The first and the last part always stay; what is left out lies between them. All in pixels: the widths of
 * the parts, of the room, of a separator between two parts, and of the mark. Pure.
 */
export function foldCrumbs(
  widths: readonly number[],
  {
    room,
    separator,
    mark,
  }: { readonly room: number; readonly separator: number; readonly mark: number },
): Folded {
  const [first = 0, ...rest] = widths;
  const whole = rest.reduce((sum, width) => sum + separator + width, first);
  if (whole <= room || widths.length <= 2) return { from: 1 };
  let used = first + separator + mark;
  let from = widths.length;
  for (let index = widths.length - 1; index > 1; index -= 1) {
    used += separator + (widths[index] ?? 0);
    if (used > room && from < widths.length) break;
    from = index;
  }
  return { from };
}
