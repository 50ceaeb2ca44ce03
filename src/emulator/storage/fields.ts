/**
 * The `fields` parameter (https://cloud.google.com/storage/docs/json_api#partial-response): `a,b/c,items(name,size)`, `*` for all.
 * A selection maps a name to what is selected below it; `null` means everything.
 */
export type Selection = ReadonlyMap<string, Selection | null>;

/** Parses `fields`. `null`: not well formed. */
export function parseFields(text: string): Selection | null {
  let at = 0;
  const list = (): Map<string, Selection | null> | null => {
    const selection = new Map<string, Selection | null>();
    for (;;) {
      if (!path(selection)) return null;
      if (text[at] !== ',') return selection;
      at++;
    }
  };
  const path = (into: Map<string, Selection | null>): boolean => {
    const name = /^\s*([A-Za-z0-9_.-]+|\*)\s*/.exec(text.slice(at));
    if (name?.[1] === undefined) return false;
    at += name[0].length;
    let below: Map<string, Selection | null> | null = null;
    if (text[at] === '/') {
      at++;
      below = new Map();
      if (!path(below)) return false;
    } else if (text[at] === '(') {
      at++;
      below = list();
      if (below === null || text[at] !== ')') return false;
      at++;
      at += /^\s*/.exec(text.slice(at))?.[0].length ?? 0;
    }
    merge(into, name[1], below);
    return true;
  };
  const selection = list();
  return selection !== null && at === text.length ? selection : null;
}

function merge(
  into: Map<string, Selection | null>,
  name: string,
  below: ReadonlyMap<string, Selection | null> | null,
): void {
  const known = into.get(name);
  if (below === null || known === null) into.set(name, null);
  else if (known === undefined) into.set(name, below);
  else {
    const both = new Map(known);
    for (const [key, value] of below) merge(both, key, value);
    into.set(name, both);
  }
}

/** The part of a JSON value that is selected; arrays are passed through element by element. */
export function select(value: unknown, selection: Selection): unknown {
  if (Array.isArray(value)) return value.map((element: unknown) => select(element, selection));
  if (typeof value !== 'object' || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    const below = selection.has(key) ? selection.get(key) : selection.get('*');
    if (below === null) result[key] = inner;
    else if (below !== undefined) result[key] = select(inner, below);
  }
  return result;
}
