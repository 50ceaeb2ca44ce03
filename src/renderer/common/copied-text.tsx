import { CopyButton, UnstyledButton } from '@mantine/core';

/** Two sheets, and a check mark: 12 by 12. */
const SHEETS = 'M4.5 3.5V1.5h6v7h-2M1.5 3.5h6v7h-6z';
const CHECK = 'M1.5 6.5l3 3 6-7';

/** A text that a click copies, with the sign that says so. */
export function CopiedText({ text }: { readonly text: string }) {
  return (
    <CopyButton value={text} timeout={1_500}>
      {({ copied, copy }) => (
        <UnstyledButton className="copied" title={copied ? 'Copied' : 'Copy'} onClick={copy}>
          {text}
          <svg viewBox="0 0 12 12" width="11" height="11" aria-hidden data-copied={copied}>
            <path d={copied ? CHECK : SHEETS} fill="none" stroke="currentColor" />
          </svg>
          <span role="status" className="for-readers">
            {copied ? ' Copied' : ''}
          </span>
        </UnstyledButton>
      )}
    </CopyButton>
  );
}
