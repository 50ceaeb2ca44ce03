// An ESLint rule: a hint that names a command of the terminal has its own words in the window (src/main/ipc/in-the-window.ts). The rule puts
// every such hint, as it is written in the sources, through the very function that the window's hints go through.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importSource } from '../lib/import-source.mjs';
import { root } from '../lib/root.mjs';

const file = join(root, 'src/main/ipc/in-the-window.ts');
const { hintInTheWindow } = await importSource(file);

const COMMAND = /\btrainyard [a-z]/;
const CODE = /^(input|access|host|network|storage|transfer|job|internal)\.[a-z-]+$/;

/** The text of a literal with values put in; null for any other node. */
function textOf(node, source) {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : null;
  if (node.type !== 'TemplateLiteral') return null;
  return node.quasis
    .map(({ value }, index) => {
      const put = node.expressions[index];
      if (put === undefined) return value.cooked;
      return value.cooked + (/worker/.test(source.getText(put)) ? '1' : '20261121-090000-aaaaaa');
    })
    .join('');
}

const nameOf = (property) => property.key.name ?? property.key.value;
const codesIn = (nodes) =>
  nodes.map((node) => node?.value).filter((value) => typeof value === 'string' && CODE.test(value));

/** The code of the problem whose hint a text is, null in a list where it is not said; no list where the text is no hint. */
function problemOf(node) {
  for (let at = node; at.parent; at = at.parent) {
    const { parent } = at;
    if (parent.type === 'Property') {
      if (nameOf(parent) !== 'hint') return null;
      const code = parent.parent.properties?.find((one) => one.key && nameOf(one) === 'code');
      return [codesIn([code?.value])[0] ?? null];
    }
    // A helper that makes problems is given their code, too.
    if (parent.type === 'CallExpression' && parent.arguments.includes(at)) {
      const [code] = codesIn(parent.arguments);
      return code === undefined ? null : [code];
    }
    if (!['ConditionalExpression', 'LogicalExpression', 'BinaryExpression'].includes(parent.type))
      if (parent.type !== 'MemberExpression' && parent.type !== 'CallExpression') return null;
  }
  return null;
}

const rule = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const look = (node) => {
      const text = textOf(node, context.sourceCode);
      if (text === null || !COMMAND.test(text)) return;
      const about = problemOf(node);
      if (about === null) return;
      const shown = hintInTheWindow(text, about[0]);
      if (COMMAND.test(shown))
        context.report({
          node,
          message: `The window would show "${shown}": give it words in src/main/ipc/in-the-window.ts.`,
        });
    };
    return { Literal: look, TemplateLiteral: look };
  },
};

export const windowHints = {
  // A change of the words is a change of the rule, for ESLint's cache.
  meta: {
    name: 'window-hints',
    version: createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16),
  },
  rules: { 'in-the-window': rule },
};
