import { Checkbox, Popover } from '@mantine/core';

interface ColumnMenuProps<Column extends string> {
  readonly columns: readonly { readonly column: Column; readonly name: string }[];
  readonly hidden: readonly Column[];
  readonly onToggle: (column: Column) => void;
}

/** Which columns a table shows. */
export function ColumnMenu<Column extends string>(props: ColumnMenuProps<Column>) {
  const { columns, hidden, onToggle } = props;
  return (
    <Popover position="bottom-end" shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <button type="button" className="column-menu" aria-label="Columns" title="Columns">
          <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden>
            <path d="M1 2h14v12H1zM6 2v12M11 2v12" fill="none" stroke="currentColor" />
          </svg>
        </button>
      </Popover.Target>
      <Popover.Dropdown p="xs" aria-label="Columns">
        {columns.map(({ column, name }) => (
          <Checkbox
            key={column}
            size="xs"
            my={6}
            label={name}
            checked={!hidden.includes(column)}
            onChange={() => onToggle(column)}
          />
        ))}
      </Popover.Dropdown>
    </Popover>
  );
}
