import { CloseButton, TextInput } from '@mantine/core';
import type { RefObject } from 'react';
import { formatCount } from '../../../common/format.ts';
import { FILTER_NAMES, FILTERS, type Filter } from './job-list-model.ts';

interface JobToolbarProps {
  readonly counts: Readonly<Record<Filter, number>>;
  readonly filter: Filter;
  readonly onFilter: (filter: Filter) => void;
  readonly search: string;
  readonly onSearch: (search: string) => void;
  readonly searchField: RefObject<HTMLInputElement | null>;
  readonly children?: React.ReactNode;
}

/** Which jobs are shown. Filters that would show nothing are left out. */
export function JobToolbar(props: JobToolbarProps) {
  const { counts, filter, onFilter, search, onSearch, searchField, children } = props;
  const shown = FILTERS.filter((one) => one === 'all' || one === filter || counts[one] > 0);
  return (
    <div className="job-toolbar">
      <div role="group" aria-label="Filter by state" className="job-filters">
        {shown.map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={one === filter}
            onClick={() => onFilter(one)}
          >
            {FILTER_NAMES[one]} <span>{formatCount(counts[one])}</span>
          </button>
        ))}
      </div>
      <TextInput
        ref={searchField}
        size="xs"
        className="job-search"
        placeholder="Search name, ID, output"
        aria-label="Search jobs"
        maxLength={200}
        value={search}
        onChange={(event) => onSearch(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onSearch('');
        }}
        rightSection={
          search === '' ? null : (
            <CloseButton size="xs" aria-label="Clear the search" onClick={() => onSearch('')} />
          )
        }
      />
      {children}
    </div>
  );
}
