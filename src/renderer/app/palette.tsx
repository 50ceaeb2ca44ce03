import { Modal, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import type { JobView } from '../../shared/views.ts';
import { FEATURES } from './features.tsx';
import { useNavigation, type Place, type ScreenName } from './navigation.ts';

interface Command {
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly place: Place;
}

/** The most that is listed. */
const MOST = 50;

/** Every place and every job, by a few letters. Opened by the menu: Control or Command and K. */
export function Palette() {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => window.trainyard.subscribe('open-palette', () => setOpen((open) => !open)), []);
  if (!isOpen) return null;
  return (
    <Modal.Root opened onClose={() => setOpen(false)} size={560} yOffset="12vh">
      <Modal.Overlay />
      <Modal.Content aria-label="Command palette">
        <Modal.Body p={0}>
          <Commands onDone={() => setOpen(false)} />
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function Commands({ onDone }: { readonly onDone: () => void }) {
  const client = useQueryClient();
  const go = useNavigation((navigation) => navigation.go);
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const found = useMemo(
    () => commandsFor(text, client.getQueryData<readonly JobView[]>(['jobs']) ?? []),
    [text, client],
  );
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);

  const run = (command: Command | undefined) => {
    if (command === undefined) return;
    go(command.place);
    onDone();
  };
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && found.length > 0) {
      event.preventDefault();
      setChosen((chosen + step + found.length) % found.length);
    } else if (event.key === 'Enter' && !event.nativeEvent.isComposing) {
      event.preventDefault();
      run(found[chosen]);
    }
  };
  return (
    <div className="palette">
      <TextInput
        data-autofocus
        size="md"
        variant="unstyled"
        className="palette-field"
        placeholder="Go to a place or a job"
        aria-label="Go to a place or a job"
        role="combobox"
        aria-expanded
        aria-controls="palette-list"
        aria-activedescendant={found[chosen] === undefined ? undefined : `command-${chosen}`}
        maxLength={200}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={onKey}
      />
      <ul ref={list} id="palette-list" role="listbox" aria-label="Commands">
        {found.map((command, index) => (
          <li
            key={command.id}
            id={`command-${index}`}
            role="option"
            aria-selected={index === chosen}
            onMouseMove={() => setChosen(index)}
            onClick={() => run(command)}
          >
            <span>{command.title}</span>
            <span className="dimmed">{command.detail}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="palette-none dimmed">Nothing is called so.</p>}
    </div>
  );
}

/** Places first, then jobs, newest first: those that have every word. */
function commandsFor(text: string, jobs: readonly JobView[]): readonly Command[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const has = (name: string) => words.every((word) => name.toLowerCase().includes(word));
  const places = (Object.keys(FEATURES) as ScreenName[]).map((screen): Command => {
    const title = FEATURES[screen]?.label ?? screen;
    return { id: screen, title, detail: 'place', place: { screen } };
  });
  const found = places.filter(({ title }) => has(title));
  for (const job of jobs) {
    if (found.length >= MOST) break;
    if (has(`${job.name} ${job.id} ${job.state}`))
      found.push({
        id: job.id,
        title: job.name,
        detail: `${job.state}, ${job.id}`,
        place: { screen: 'jobs', job: job.id },
      });
  }
  return found;
}
