import { isMap, isScalar, Lexer, visit, type Document } from 'yaml';

/** What makes YAML slow or deep without making it long. A job file has nothing near these. */
const MOST_PARTS = 10_000;
const DEEPEST = 100;
const MOST_ALIASES = 1_000;

/**
 * Why a text is no job file, by its shape alone, before it is parsed: the parser calls itself for each level, and looks through the whole text for
 * each alias. Null where nothing is wrong. Takes time in proportion to the text. Pure.
 */
export function shapeReason(text: string): string | null {
  let parts = 0;
  let aliases = 0;
  /** Of brackets, and of dashes and question marks one behind the other on a line. */
  let brackets = 0;
  let inLine = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') brackets += 1;
    else if (token === ']' || token === '}') brackets -= 1;
    else if (token.startsWith('\n') || token.startsWith('\r')) inLine = 0;
    else if (token === '-' || token === '?') inLine += 1;
    if (token === '-' || token === '?' || token === ':' || token === ',') parts += 1;
    if (token.startsWith('*')) aliases += 1;
    if (brackets > DEEPEST || inLine > DEEPEST)
      return `It is nested more than ${DEEPEST} levels deep: it is no job file.`;
    if (parts > MOST_PARTS) return 'It has more than 10,000 entries: it is no job file.';
    if (aliases > MOST_ALIASES) return 'The file refers to itself too often (YAML aliases).';
  }
  return null;
}

/** Where fields stand that their mapping has already: offsets. The parser's own look compares each field with each other. Pure. */
export function repeatedFields(document: Document): readonly number[] {
  const found: number[] = [];
  visit(document, {
    Map(_key, map) {
      if (!isMap(map)) return;
      const known = new Map<unknown, true>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (known.has(key.value)) found.push(key.range?.[0] ?? 0);
        known.set(key.value, true);
      }
    },
  });
  return found;
}
