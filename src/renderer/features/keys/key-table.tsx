import { Table } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, type KeyboardEvent } from 'react';
import type { KeyCard } from '../../../shared/key.ts';
import { formatTime } from '../../common/format.ts';
import { wantsReplacing } from '../../../shared/key-age.ts';
import { formatAge } from './key-words.ts';

interface KeyTableProps {
  readonly keys: readonly KeyCard[];
  readonly selected: string;
  readonly onSelect: (id: string) => void;
  readonly now: number;
}

/** Pixels. */
const ROW = 28;

const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 };

export function KeyTable({ keys, selected, onSelect, now }: KeyTableProps) {
  const scroll = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: keys.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW,
    // The head of the table stays over them.
    scrollPaddingStart: ROW,
    overscan: 12,
  });
  const chosen = keys.findIndex((card) => card.id === selected);
  useEffect(() => {
    if (chosen >= 0) rows.scrollToIndex(chosen);
  }, [chosen, rows]);
  const shown = rows.getVirtualItems();
  const above = shown[0]?.start ?? 0;
  const below = rows.getTotalSize() - (shown.at(-1)?.end ?? 0);

  const move = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    const next =
      event.key === 'Home'
        ? keys[0]
        : event.key === 'End'
          ? keys.at(-1)
          : step === undefined
            ? undefined
            : keys[chosen + step];
    if (next === undefined) return;
    event.preventDefault();
    onSelect(next.id);
  };

  return (
    <div
      ref={scroll}
      className="key-table"
      tabIndex={0}
      onKeyDown={move}
      role="group"
      aria-label="Keys"
    >
      <Table
        stickyHeader
        highlightOnHover
        layout="fixed"
        role="grid"
        aria-rowcount={keys.length + 1}
        verticalSpacing={3}
        horizontalSpacing={12}
      >
        <Table.Thead>
          <Table.Tr>
            <Table.Th w="30%">Name</Table.Th>
            <Table.Th>Account</Table.Th>
            <Table.Th w={124}>Age</Table.Th>
            <Table.Th w={104}>Last used</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {above > 0 && <tr aria-hidden style={{ height: above }} />}
          {shown.map(({ index }) => {
            const card = keys[index];
            return card === undefined ? null : (
              <KeyRow
                key={card.id}
                card={card}
                index={index}
                selected={card.id === selected}
                onSelect={onSelect}
                now={now}
              />
            );
          })}
          {below > 0 && <tr aria-hidden style={{ height: below }} />}
        </Table.Tbody>
      </Table>
    </div>
  );
}

interface KeyRowProps extends Pick<KeyTableProps, 'onSelect' | 'now'> {
  readonly card: KeyCard;
  readonly index: number;
  readonly selected: boolean;
}

function KeyRow({ card, index, selected, onSelect, now }: KeyRowProps) {
  return (
    <Table.Tr
      h={ROW}
      aria-rowindex={index + 2}
      aria-selected={selected}
      data-key={card.id}
      onClick={() => onSelect(card.id)}
    >
      <Table.Td title={card.name}>{card.name}</Table.Td>
      <Table.Td title={card.email}>{card.email}</Table.Td>
      <Table.Td title={card.addedAt}>
        {wantsReplacing(card.addedAt, now) && (
          <span className="old-mark" role="img" aria-label="should be replaced">
            !
          </span>
        )}
        {formatAge(now - Date.parse(card.addedAt))}
      </Table.Td>
      <Table.Td title={card.lastUsedAt ?? ''}>
        {card.lastUsedAt === null ? 'never' : formatTime(card.lastUsedAt, now)}
      </Table.Td>
    </Table.Tr>
  );
}
