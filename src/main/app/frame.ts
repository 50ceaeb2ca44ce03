/** Where the window stands. */
export interface Frame {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly maximized: boolean;
}

/** Whether enough of a frame lies on one of the screens to be found and moved. Pure. */
export function isInSight(
  frame: Omit<Frame, 'maximized'>,
  screens: readonly Omit<Frame, 'maximized'>[],
): boolean {
  return screens.some((screen) => {
    const width =
      Math.min(frame.x + frame.width, screen.x + screen.width) - Math.max(frame.x, screen.x);
    const height =
      Math.min(frame.y + frame.height, screen.y + screen.height) - Math.max(frame.y, screen.y);
    return width >= 200 && height >= 100 && frame.y >= screen.y;
  });
}
