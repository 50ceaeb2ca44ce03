import { LineSign } from './chart-box.tsx';
import type { Card } from './sample-table.ts';

interface CardPickerProps {
  readonly cards: readonly Card[];
  /** UUIDs. */
  readonly chosen: readonly string[];
  readonly onPress: (uuid: string) => void;
}

/** Which of many cards have a line of their own, beside the mean and the range of all. */
export function CardPicker({ cards, chosen, onPress }: CardPickerProps) {
  return (
    <div className="card-picker" role="group" aria-label="Cards with a line of their own">
      <span className="dimmed">{cards.length} GPUs: mean and range. Lines of</span>
      {cards.map(({ uuid, name, about }, index) => (
        <button
          key={uuid}
          type="button"
          aria-pressed={chosen.includes(uuid)}
          aria-label={name}
          title={[name, about].filter((word) => word !== '').join(', ')}
          onClick={() => onPress(uuid)}
        >
          {chosen.includes(uuid) && <LineSign style={index} />}
          {name.replace('GPU ', '')}
        </button>
      ))}
    </div>
  );
}
