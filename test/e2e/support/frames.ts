import type { Page } from '@playwright/test';

export interface Frames {
  readonly count: number;
  /** Milliseconds between two frames. */
  readonly median: number;
  readonly longest: number;
}

/** Counts the frames of the window while something is done. */
export async function frames(page: Page, body: () => Promise<void>): Promise<Frames> {
  await page.evaluate(() => {
    const times: number[] = [];
    const state = { times, on: true };
    (globalThis as unknown as { counted: typeof state }).counted = state;
    const tick = (time: number) => {
      times.push(time);
      if (state.on) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await body();
  const times = await page.evaluate(() => {
    const { counted } = globalThis as unknown as { counted: { times: number[]; on: boolean } };
    counted.on = false;
    return counted.times;
  });
  const gaps = times.slice(1).map((time, index) => Math.round(time - times[index]!));
  const sorted = gaps.toSorted((a, b) => a - b);
  return {
    count: gaps.length,
    median: sorted[Math.floor(sorted.length / 2)] ?? 0,
    longest: sorted.at(-1) ?? 0,
  };
}
