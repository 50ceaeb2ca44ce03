import { Table } from '@mantine/core';
import { useEffect, useRef, type KeyboardEvent } from 'react';
import type { KeyCard } from '../../../shared/key.ts';
import { formatTime } from '../../common/format.ts';
import { formatAge } from './key-words.ts';

interface KeyTableProps {
  readonly keys: readonly KeyCard[];
  readonly selected: string;
  readonly onSelect: (id: string) => void;
  readonly now: number;
}

const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 };

export function KeyTable({ keys, selected, onSelect, now }: KeyTableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  useEffect(() => {
    body.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [selected]);

  const move = (event: KeyboardEvent) => {
    const at = keys.findIndex((card) => card.id === selected);
    const step = STEPS[event.key];
    const next =
      event.key === 'Home'
        ? keys[0]
        : event.key === 'End'
          ? keys.at(-1)
          : step === undefined
            ? undefined
            : keys[at + step];
    if (next === undefined) return;
    event.preventDefault();
    onSelect(next.id);
  };

  return (
    <div className="key-table" tabIndex={0} onKeyDown={move} role="group" aria-label="Keys">
      <Table
        stickyHeader
        highlightOnHover
        layout="fixed"
        role="grid"
        verticalSpacing={3}
        horizontalSpacing={12}
      >
        <Table.Thead>
          <Table.Tr>
            <Table.Th w="30%">Name</Table.Th>
            <Table.Th>Account</Table.Th>
            <Table.Th w={90}>Age</Table.Th>
            <Table.Th w={110}>Last used</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody ref={body}>
          {keys.map((card) => (
            <Table.Tr
              key={card.id}
              aria-selected={card.id === selected}
              data-key={card.id}
              onClick={() => onSelect(card.id)}
            >
              <Table.Td title={card.name}>{card.name}</Table.Td>
              <Table.Td title={card.email}>{card.email}</Table.Td>
              <Table.Td title={card.addedAt}>{formatAge(now - Date.parse(card.addedAt))}</Table.Td>
              <Table.Td title={card.lastUsedAt ?? ''}>
                {card.lastUsedAt === null ? 'never' : formatTime(card.lastUsedAt, now)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
