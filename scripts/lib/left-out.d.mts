export const leftOut: { readonly parts: number; readonly window: number };
type Counts = Readonly<Record<string, number>>;
export function wrongCounts(
  tests: readonly { readonly file: string }[],
  known?: { readonly parts: Counts; readonly window: Counts },
): readonly string[];
