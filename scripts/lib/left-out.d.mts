export function countParts(text: string): number | null;
export function countWindow(text: string): number | null;
export function countLeftOut(
  folder: string,
): Promise<{ readonly parts: number | null; readonly window: number | null }>;
