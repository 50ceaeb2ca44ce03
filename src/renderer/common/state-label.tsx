interface StateLabelProps {
  readonly state: string;
  /** The name of a Mantine colour. */
  readonly color: string;
}

/** A state as a dot and its word: colour never says it alone. */
export function StateLabel({ state, color }: StateLabelProps) {
  return (
    <span className="state">
      <span
        className="state-dot"
        style={{
          background: `var(--mantine-color-${color === 'gray' ? 'dimmed' : `${color}-filled`})`,
        }}
        aria-hidden
      />
      {state}
    </span>
  );
}
