import { Table } from '@mantine/core';
import { useEffect, useRef, type KeyboardEvent } from 'react';
import type { JobView } from '../../../shared/views.ts';
import { StateLabel } from '../../common/state-label.tsx';
import { formatTime } from '../../common/format.ts';
import { STATE_COLORS, tookOf, workersOf } from './job-view-model.ts';

interface JobTableProps {
  readonly jobs: readonly JobView[];
  readonly selected: string | null;
  readonly onSelect: (id: string) => void;
  readonly now: number;
}

const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 };

export function JobTable({ jobs, selected, onSelect, now }: JobTableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  useEffect(() => {
    body.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [selected]);

  const move = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = jobs[jobs.findIndex((job) => job.id === selected) + step];
    if (next !== undefined) onSelect(next.id);
  };

  return (
    <div className="job-table" tabIndex={0} onKeyDown={move} role="group" aria-label="Jobs">
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
            <Table.Th w={116}>State</Table.Th>
            <Table.Th>Name</Table.Th>
            <Table.Th w={188}>ID</Table.Th>
            <Table.Th w={104}>Workers</Table.Th>
            <Table.Th w={92}>Host</Table.Th>
            <Table.Th w={116}>Created</Table.Th>
            <Table.Th w={92}>Took</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody ref={body}>
          {jobs.map((job) => (
            <Table.Tr
              key={job.id}
              aria-selected={job.id === selected}
              data-job={job.id}
              onClick={() => onSelect(job.id)}
            >
              <Table.Td>
                <StateLabel state={job.state} color={STATE_COLORS[job.state]} />
              </Table.Td>
              <Table.Td title={job.name}>{job.name}</Table.Td>
              <Table.Td className="code">{job.id}</Table.Td>
              <Table.Td>{workersOf(job)}</Table.Td>
              <Table.Td title={job.host}>{job.host}</Table.Td>
              <Table.Td title={job.createdAt}>{formatTime(job.createdAt, now)}</Table.Td>
              <Table.Td>{tookOf(job, now)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
