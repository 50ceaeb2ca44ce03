interface StateLabelProps {
  readonly state: string;
  /** The name of a Mantine colour; its shape goes with it. */
  readonly color: string;
}

/** 10 by 10. Filled where the line is null. */
const SHAPES: Readonly<Record<string, { readonly path: string; readonly line: boolean }>> = {
  /** Goes on: a filled disc. */
  blue: { path: 'M5 1a4 4 0 1 1 0 8a4 4 0 1 1 0-8', line: false },
  /** Well: a check mark. */
  green: { path: 'M1 5.5l2.8 2.8L9 2', line: true },
  /** Failed: a cross. */
  red: { path: 'M1.5 1.5l7 7M8.5 1.5l-7 7', line: true },
  /** Waits: an hourglass. */
  yellow: { path: 'M1.5 1h7L5 5l3.5 4h-7L5 5z', line: false },
  /** Needs somebody: a triangle. */
  orange: { path: 'M5 .8l4.5 8.4h-9z', line: false },
};
/** Nothing happens: a ring. */
const RING = { path: 'M5 1.5a3.5 3.5 0 1 1 0 7a3.5 3.5 0 1 1 0-7', line: true };

/** A state as a shape and its word: colour never says it alone. */
export function StateLabel({ state, color }: StateLabelProps) {
  const { path, line } = SHAPES[color] ?? RING;
  const hue = `var(--mantine-color-${color === 'gray' ? 'dimmed' : `${color}-filled`})`;
  return (
    <span className="state">
      <svg viewBox="0 0 10 10" width="10" height="10" className="state-mark" aria-hidden>
        {line ? (
          <path d={path} fill="none" stroke={hue} strokeWidth="1.8" />
        ) : (
          <path d={path} fill={hue} />
        )}
      </svg>
      {state}
    </span>
  );
}
