import { fc } from '../support/properties.ts';

/** Names that people could type, and names that are made to break out. */
export const name = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc
    .array(
      fc.constantFrom(
        ...[
          '$(touch pwned)',
          '`touch pwned`',
          ';touch pwned;',
          '${PATH}',
          '%{ if true }',
          '")',
          "'",
          '"',
        ],
        ...[
          '\\',
          '\n',
          '\r',
          '\0',
          ' ',
          ',',
          '=',
          '&&',
          '||',
          '#',
          '!',
          '~',
          '-',
          '--',
          '/',
          '//',
          '..',
        ],
        ...[
          '|| true',
          ') || (',
          'EOF',
          'a',
          'ä',
          '例',
          '😀',
          '\u2028',
          '\u202e',
          '^:^',
          '{a,b}',
          '>x',
          '<x',
          '[z]',
          '?',
        ],
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.join('')),
);
