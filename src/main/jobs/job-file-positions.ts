import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Document,
  type Node,
  type Pair,
  type YAMLMap,
} from 'yaml';
import type { FieldPath } from './job-file-words.ts';

/** Where something stands in the text: offsets, in characters. */
export interface Place {
  readonly key: number | null;
  readonly value: number | null;
  /** The text of a plain value as written, for messages. */
  readonly source: string | null;
}

/** Finds what a path of fields points to. What is not there has the place of what would hold it. */
export function placeOf(document: Document, path: FieldPath): Place {
  let node: Node | null = resolve(document, document.contents);
  let place: Place = { key: null, value: node?.range?.[0] ?? null, source: null };
  for (const part of path) {
    if (isMap(node)) {
      const pair = fieldsOf(node).get(String(part));
      if (pair === undefined) return place;
      const key = isScalar(pair.key) ? (pair.key.range?.[0] ?? null) : null;
      node = resolve(document, pair.value);
      place = { key, value: node?.range?.[0] ?? null, source: sourceOf(node) };
    } else if (isSeq(node) && typeof part === 'number') {
      node = resolve(document, node.items[part]);
      place = { key: null, value: node?.range?.[0] ?? null, source: sourceOf(node) };
    } else return place;
  }
  return place;
}

/** Of each mapping its fields by name, made once: a file with many mistakes asks for each of them. The first of two counts. */
const known = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

function fieldsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
  let fields = known.get(map);
  if (fields === undefined) {
    const named = map.items.flatMap((pair): [string, Pair][] =>
      isScalar(pair.key) ? [[String(pair.key.value), pair]] : [],
    );
    fields = new Map(named.toReversed());
    known.set(map, fields);
  }
  return fields;
}

function resolve(document: Document, node: unknown): Node | null {
  if (isAlias(node)) return node.resolve(document) ?? null;
  return isMap(node) || isSeq(node) || isScalar(node) ? node : null;
}

function sourceOf(node: Node | null): string | null {
  return isScalar(node) ? (node.source ?? null) : null;
}
