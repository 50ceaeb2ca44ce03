/**
 * The first field that the outermost object of a JSON text names twice, or null. `text` must be valid JSON: `JSON.parse` has accepted it,
 * but keeps the last of two fields without a word. Names are compared after their escapes are resolved.
 */
export function duplicateField(text: string): string | null {
  const seen = new Set<string>();
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    else if (character === '"') {
      const end = endOfString(text, index);
      if (depth === 1 && /^\s*:/.test(text.slice(end + 1))) {
        const name = JSON.parse(text.slice(index, end + 1)) as string;
        if (seen.has(name)) return name;
        seen.add(name);
      }
      index = end;
    }
  }
  return null;
}

/** The index of the quote that ends the string beginning at `start`; the text's length where none does. */
export function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index += 1) {
    if (text[index] === '\\') index += 1;
    else if (text[index] === '"') return index;
  }
  return text.length;
}

/** Whether a text that is not JSON merely stops too early: inside a string, or before everything opened is closed. */
export function stopsEarly(text: string): boolean {
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') {
      depth -= 1;
      if (depth === 0) return false;
    } else if (character === '"') {
      index = endOfString(text, index);
      if (index >= text.length) return true;
    }
  }
  return depth > 0;
}
