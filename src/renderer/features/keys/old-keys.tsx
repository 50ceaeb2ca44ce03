import { Button, Text } from '@mantine/core';
import { HOW_TO_REPLACE, REPLACE_AFTER_DAYS, wantsReplacing } from '../../../shared/key-age.ts';
import type { KeyCard } from '../../../shared/key.ts';

/** How many are named. */
const NAMED = 5;

interface OldKeysProps {
  readonly keys: readonly KeyCard[];
  readonly now: number;
  readonly onChoose: (id: string) => void;
}

/** One quiet line over the keys, where some have been here for 90 days. */
export function OldKeys({ keys, now, onChoose }: OldKeysProps) {
  const old = keys.filter(({ addedAt }) => wantsReplacing(addedAt, now));
  if (old.length === 0) return null;
  const more = old.length - NAMED;
  return (
    <section className="old-keys" aria-label="Keys that should be replaced">
      <span className="old-mark" aria-hidden="true">
        !
      </span>
      <Text size="sm">Here for {REPLACE_AFTER_DAYS} days or longer:</Text>
      {old.slice(0, NAMED).map((card) => (
        <Button
          key={card.id}
          size="compact-xs"
          variant="subtle"
          onClick={() => onChoose(card.id)}
          aria-label={`Show ${card.name}`}
        >
          {card.name}
        </Button>
      ))}
      {more > 0 && <Text size="sm">and {more} more</Text>}
    </section>
  );
}

/** What to do about one of them. */
export function OldKey({ card, now }: Pick<OldKeysProps, 'now'> & { readonly card: KeyCard }) {
  if (!wantsReplacing(card.addedAt, now)) return null;
  return (
    <section aria-label="How to replace it">
      <Text size="sm">
        Google advises to replace keys at least every {REPLACE_AFTER_DAYS} days:
      </Text>
      <ol className="old-steps">
        {HOW_TO_REPLACE.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
    </section>
  );
}
