import { Modal, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import type { JobView } from '../../shared/views.ts';
import { chosenJob } from '../features/jobs/list/job-list-model.ts';
import { JOBS } from '../features/jobs/use-jobs.ts';
import { useView } from '../features/jobs/view-store.ts';
import { commandsFor, type Command } from './commands.ts';
import { FEATURES, type Feature } from './features.tsx';
import type { ScreenName } from './navigation.ts';
import { useDeeds } from './use-deeds.ts';

const screens = (Object.entries(FEATURES) as [ScreenName, Feature][]).map(([screen, { name }]) => ({
  screen,
  name,
}));

/** Every place, every job and what can be done, by a few letters. Opened by the menu: Control or Command and K. */
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
  const act = useDeeds();
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const found = useMemo(() => {
    const jobs = client.getQueryData<readonly JobView[]>(JOBS) ?? [];
    return commandsFor({ text, screens, jobs, chosen: chosenJob(jobs, useView.getState()) });
  }, [text, client]);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);

  const run = (command: Command | undefined) => {
    if (command === undefined) return;
    onDone();
    act(command.deed);
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
        placeholder="Go to a place or a job, or do something"
        aria-label="Go to a place or a job, or do something"
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
      {found.length === 0 && (
        <p className="palette-none dimmed">No place, job or action matches.</p>
      )}
    </div>
  );
}
