/**
 * The part of the Common Expression Language that conditions on storage use
 * (https://cloud.google.com/storage/docs/access-control/iam#conditions), parsed in full: what is not listed here is refused with its position.
 *
 *     expression := conjunction ('||' conjunction)*
 *     conjunction := negation ('&&' negation)*
 *     negation := '!' negation | '(' expression ')' | test
 *     test := value '.startsWith' '(' string ')' | value '==' string
 *     value := 'resource.name' | 'resource.type' | 'resource.service' | 'api.getAttribute' '(' string ',' string ')'
 */
export type Expression =
  | { readonly kind: 'or' | 'and'; readonly terms: readonly Expression[] }
  | { readonly kind: 'not'; readonly term: Expression }
  | {
      readonly kind: 'equals' | 'startsWith';
      readonly value: Value;
      readonly text: string;
    };

export type Value =
  | { readonly kind: 'resource'; readonly attribute: 'name' | 'type' | 'service' }
  | { readonly kind: 'listPrefix'; readonly fallback: string };

/** What an expression is evaluated on. `listPrefix` is null where the request has no such attribute. */
export interface Subject {
  readonly name: string;
  readonly type: string;
  readonly service: string;
  readonly listPrefix: string | null;
}

export const LIST_PREFIX_ATTRIBUTE = 'storage.googleapis.com/objectListPrefix';

export type ParsedExpression =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly message: string };

type Token =
  | { readonly kind: 'name' | 'symbol' | 'string'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly text: ''; readonly at: number };

/** Nesting of parentheses and negations; Google allows twelve logical operators in all. */
const DEEPEST = 40;

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  '"': '"',
  "'": "'",
  '`': '`',
  '?': '?',
};

interface Refusal {
  readonly refused: string;
}

function isRefusal(value: object): value is Refusal {
  return 'refused' in value;
}

function refusal(what: string, at: number): Refusal {
  return { refused: `${what} at position ${at + 1}` };
}

/** Reads a quoted string that begins at `start`. */
function readString(source: string, start: number): { text: string; end: number } | Refusal {
  const quote = source[start];
  let text = '';
  for (let index = start + 1; index < source.length; index++) {
    const character = source[index] ?? '';
    if (character === quote) return { text, end: index + 1 };
    if (character === '\n' || character === '\r') break;
    if (character !== '\\') {
      text += character;
      continue;
    }
    index++;
    const escaped = source[index] ?? '';
    const plain = ESCAPES[escaped];
    if (plain !== undefined) {
      text += plain;
      continue;
    }
    const digits = escaped === 'u' ? 4 : escaped === 'x' ? 2 : 0;
    const code = source.slice(index + 1, index + 1 + digits);
    if (digits === 0 || !/^[0-9a-fA-F]+$/.test(code) || code.length !== digits)
      return refusal('Unknown escape sequence', index - 1);
    text += String.fromCharCode(Number.parseInt(code, 16));
    index += digits;
  }
  return refusal('String without an end', start);
}

function tokenize(source: string): readonly Token[] | Refusal {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const rest = source.slice(at);
    const space = /^\s+/.exec(rest)?.[0];
    const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(rest)?.[0];
    const symbol = /^(\|\||&&|==|[!().,])/.exec(rest)?.[0];
    if (space !== undefined) {
      at += space.length;
    } else if (rest.startsWith('"') || rest.startsWith("'")) {
      const read = readString(source, at);
      if (isRefusal(read)) return read;
      tokens.push({ kind: 'string', text: read.text, at });
      at = read.end;
    } else if (name !== undefined) {
      tokens.push({ kind: 'name', text: name, at });
      at += name.length;
    } else if (symbol !== undefined && !rest.startsWith('!=')) {
      tokens.push({ kind: 'symbol', text: symbol, at });
      at += symbol.length;
    } else {
      return refusal(`Unexpected "${rest.startsWith('!=') ? '!=' : (rest[0] ?? '')}"`, at);
    }
  }
  tokens.push({ kind: 'end', text: '', at: source.length });
  return tokens;
}

/** Recursive descent over the tokens; every method answers a part or the first refusal. */
class Parser {
  readonly tokens: readonly Token[];
  next = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  peek(): Token {
    return this.tokens[this.next] ?? { kind: 'end', text: '', at: 0 };
  }

  takes(kind: Token['kind'], text?: string): boolean {
    const token = this.peek();
    if (token.kind !== kind || (text !== undefined && token.text !== text)) return false;
    this.next++;
    return true;
  }

  unexpected(): Refusal {
    const token = this.peek();
    if (token.kind === 'end') return refusal('Unexpected end', token.at);
    return refusal(
      token.kind === 'string' ? 'Unexpected string' : `Unexpected "${token.text}"`,
      token.at,
    );
  }

  chain(operator: '||' | '&&', depth: number): Expression | Refusal {
    const operand = (): Expression | Refusal =>
      operator === '||' ? this.chain('&&', depth) : this.negation(depth);
    const first = operand();
    if (isRefusal(first)) return first;
    const terms = [first];
    while (this.takes('symbol', operator)) {
      const term = operand();
      if (isRefusal(term)) return term;
      terms.push(term);
    }
    return terms.length === 1 ? first : { kind: operator === '||' ? 'or' : 'and', terms };
  }

  negation(depth: number): Expression | Refusal {
    if (depth > DEEPEST) return refusal('Nested too deep', this.peek().at);
    if (this.takes('symbol', '!')) {
      const term = this.negation(depth + 1);
      return isRefusal(term) ? term : { kind: 'not', term };
    }
    if (this.takes('symbol', '(')) {
      const inner = this.chain('||', depth + 1);
      if (isRefusal(inner)) return inner;
      return this.takes('symbol', ')') ? inner : this.unexpected();
    }
    return this.test();
  }

  test(): Expression | Refusal {
    const value = this.value();
    if (isRefusal(value)) return value;
    if (this.takes('symbol', '==')) {
      const text = this.string();
      return isRefusal(text) ? text : { kind: 'equals', value, text: text.text };
    }
    if (!this.takes('symbol', '.') || !this.takes('name', 'startsWith')) return this.unexpected();
    if (!this.takes('symbol', '(')) return this.unexpected();
    const text = this.string();
    if (isRefusal(text)) return text;
    if (!this.takes('symbol', ')')) return this.unexpected();
    return { kind: 'startsWith', value, text: text.text };
  }

  value(): Value | Refusal {
    if (this.takes('name', 'resource')) {
      if (!this.takes('symbol', '.')) return this.unexpected();
      for (const attribute of ['name', 'type', 'service'] as const)
        if (this.takes('name', attribute)) return { kind: 'resource', attribute };
      return this.unexpected();
    }
    if (!this.takes('name', 'api')) return this.unexpected();
    if (!this.takes('symbol', '.') || !this.takes('name', 'getAttribute')) return this.unexpected();
    if (!this.takes('symbol', '(')) return this.unexpected();
    const at = this.peek().at;
    const attribute = this.string();
    if (isRefusal(attribute)) return attribute;
    if (attribute.text !== LIST_PREFIX_ATTRIBUTE)
      return refusal(`Unknown attribute "${attribute.text}"`, at);
    if (!this.takes('symbol', ',')) return this.unexpected();
    const fallback = this.string();
    if (isRefusal(fallback)) return fallback;
    if (!this.takes('symbol', ')')) return this.unexpected();
    return { kind: 'listPrefix', fallback: fallback.text };
  }

  string(): { readonly text: string } | Refusal {
    const token = this.peek();
    if (token.kind !== 'string') return this.unexpected();
    this.next++;
    return { text: token.text };
  }
}

/** Parses a condition's expression. Errors: what was not understood and where, counted from 1. */
export function parseExpression(source: string): ParsedExpression {
  const tokens = tokenize(source);
  if (isRefusal(tokens)) return { ok: false, message: tokens.refused };
  const parser = new Parser(tokens);
  const expression = parser.chain('||', 0);
  if (isRefusal(expression)) return { ok: false, message: expression.refused };
  if (parser.peek().kind !== 'end') return { ok: false, message: parser.unexpected().refused };
  return { ok: true, expression };
}

/** Whether the condition holds for the subject. */
export function holds(expression: Expression, subject: Subject): boolean {
  switch (expression.kind) {
    case 'or':
      return expression.terms.some((term) => holds(term, subject));
    case 'and':
      return expression.terms.every((term) => holds(term, subject));
    case 'not':
      return !holds(expression.term, subject);
    case 'equals':
      return valueOf(expression.value, subject) === expression.text;
    case 'startsWith':
      return valueOf(expression.value, subject).startsWith(expression.text);
  }
}

function valueOf(value: Value, subject: Subject): string {
  return value.kind === 'resource'
    ? subject[value.attribute]
    : (subject.listPrefix ?? value.fallback);
}
