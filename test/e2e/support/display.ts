/**
 * Where a test worker's windows open: scripts/e2e.mjs starts a display for each, because clipboard and focus belong to a display. On a user's
 * own desktop there is one.
 */
export function displayOf(worker: number): string {
  const displays = (process.env['TRAINYARD_TEST_DISPLAYS'] ?? '').split(' ').filter((one) => one);
  return displays[worker % Math.max(1, displays.length)] ?? process.env['DISPLAY'] ?? '';
}
