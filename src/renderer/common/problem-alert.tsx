import { Alert, Text } from '@mantine/core';

interface ProblemAlertProps {
  readonly message: string;
  readonly hint: string;
  readonly color?: string;
}

/** What happened, and below it what to do. */
export function ProblemAlert({ message, hint, color = 'red' }: ProblemAlertProps) {
  return (
    <Alert
      color={color}
      p="xs"
      role="alert"
      className="problem"
      style={{ '--problem': `var(--mantine-color-${color}-filled)` }}
    >
      <Text size="md" fw={600} className="wrap">
        {message}
      </Text>
      {hint !== '' && (
        <Text size="md" className="wrap">
          {hint}
        </Text>
      )}
    </Alert>
  );
}
