import { Button } from '@mantine/core';

interface DismissProps {
  readonly onClick: () => void;
  readonly children?: string;
}

/** Takes an arrival off the screen. */
export function Dismiss({ onClick, children = 'Dismiss' }: DismissProps) {
  return (
    <Button size="compact-sm" variant="subtle" color="gray" className="dismiss" onClick={onClick}>
      {children}
    </Button>
  );
}
