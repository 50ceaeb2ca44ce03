import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  visit,
  type Document,
  type YAMLMap,
} from 'yaml';
import type { JobSpecInput } from '../../../shared/job-spec.ts';
import { writeJobFile } from './form-text.ts';

/** A job file as somebody wrote it, and what it said to the form. */
export interface WrittenFile {
  readonly text: string;
  readonly spec: JobSpecInput;
}

type Value = unknown;
type Mapping = Readonly<Record<string, Value>>;

const isMapping = (value: Value): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether two specifications say the same, in whatever order their fields stand. */
export function saysTheSame(left: Value, right: Value): boolean {
  if (Array.isArray(left) && Array.isArray(right))
    return left.length === right.length && left.every((one, at) => saysTheSame(one, right[at]));
  if (!isMapping(left) || !isMapping(right)) return left === right;
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...names].every((name) => saysTheSame(left[name], right[name]));
}

/**
 * The job file that says what the form says now. Without a written one it is written anew. Of a written one everything stays that the form
 * left as it was: comments, order, quotes, fields that say what goes without saying. Pure.
 */
export function editJobFile(written: WrittenFile | null, spec: JobSpecInput): string {
  if (written === null) return writeJobFile(spec);
  if (saysTheSame(written.spec, spec)) return written.text;
  const document = parseDocument(written.text);
  if (document.errors.length > 0 || !isMap(document.contents) || hasAliases(document))
    return writeJobFile(spec);
  editMap(document, document.contents, written.spec, spec);
  return document.toString({ lineWidth: 0, singleQuote: false });
}

/** What is said in one place and meant in several cannot be changed in one of them. */
function hasAliases(document: Document): boolean {
  let found = false;
  visit(document, {
    Node: (_, node) => {
      if (!isAlias(node)) return undefined;
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}

/** Makes a mapping that said `before` say `after`. */
function editMap(document: Document, map: YAMLMap, before: Mapping, after: Mapping): void {
  for (const name of Object.keys(before)) if (!(name in after)) map.delete(name);
  for (const [name, value] of Object.entries(after)) {
    if (saysTheSame(before[name], value)) continue;
    const node = map.get(name, true);
    const was = before[name];
    if (isMap(node) && isMapping(was) && isMapping(value)) editMap(document, node, was, value);
    else if (isSeq(node) && Array.isArray(value)) {
      // A line that stays keeps what was written about it.
      const lines = [...node.items];
      node.items = value.map((line: Value) => {
        const at = lines.findIndex((one) => isScalar(one) && one.value === line);
        return at < 0 ? document.createNode(line) : lines.splice(at, 1)[0];
      });
    } else if (isScalar(node) && !isMapping(value) && !Array.isArray(value)) {
      node.value = value;
      // Of a block or of quotes that the new value may not need.
      delete node.type;
      delete node.source;
    } else map.set(name, document.createNode(value));
  }
}
