import { CopyButton, UnstyledButton } from '@mantine/core';

/** A text that a click copies. */
export function CopiedText({ text }: { readonly text: string }) {
  return (
    <CopyButton value={text} timeout={1_500}>
      {({ copied, copy }) => (
        <UnstyledButton className="copied" title="Copy" onClick={copy}>
          {copied ? 'Copied' : text}
        </UnstyledButton>
      )}
    </CopyButton>
  );
}
