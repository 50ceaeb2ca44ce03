import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';

/** Everything up to a package's folder, the innermost one: `.../node_modules/@scope/name`. */
const FOLDER = /(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//;

/** Programs whose source maps tell what they are made of; the agent holds nothing that the command line does not. */
const MAPPED = ['cli', 'emulator', 'main'];

const filesBelow = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : [];

/** What the window's page imports, by name. */
function importedByPage(root) {
  const names = filesBelow(join(root, 'src', 'renderer'))
    .filter((file) => /\.tsx?$/.test(file))
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/(?:from|import) '([^.'][^']*)'/g)])
    .map(([, name]) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    );
  return [...new Set(names)];
}

/**
 * The folders of the packages that the built programs hold, and of those that are shipped beside them, from the root; sorted. Known by source maps
 * and, for the page, which has none, by its imports and what these depend on.
 */
export function shippedPackages(root) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const folders = new Set();
  for (const program of MAPPED)
    for (const file of filesBelow(join(root, 'out', program)).filter((name) =>
      name.endsWith('.map'),
    ))
      for (const source of JSON.parse(readFileSync(file, 'utf8')).sources ?? []) {
        const folder = FOLDER.exec(source.split(sep).join('/'))?.[1];
        if (folder !== undefined) folders.add(folder);
      }
  const add = (name) => {
    const folder = `node_modules/${name}`;
    if (folders.has(folder) || packages[folder] === undefined) return;
    folders.add(folder);
    Object.keys(packages[folder].dependencies ?? {}).forEach(add);
  };
  importedByPage(root).forEach(add);
  for (const [folder, { dev }] of Object.entries(packages))
    if (folder !== '' && dev !== true) folders.add(folder);
  return [...folders].filter((folder) => existsSync(join(root, folder))).sort();
}

/** A licence as the format of copyright files wants it: indented, with a dot where a line is empty. */
const indented = (text) =>
  text
    .trim()
    .split(/\r?\n/)
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n');

function licenceOf(folder) {
  const name = existsSync(folder)
    ? readdirSync(folder).find((each) => /^(licen[sc]e|copying)(\.|$)/i.test(each))
    : undefined;
  return name === undefined ? null : readFileSync(join(folder, name), 'utf8');
}

/** The copyright file of a package for Debian, in its machine-readable format: Trainyard's own licence, and that of everything inside. */
export function copyrightText(root) {
  const parts = [
    [
      'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
      'Upstream-Name: Trainyard',
    ],
    [
      'Files: *',
      'Copyright: The Trainyard authors',
      'License: Expat',
      indented(readFileSync(join(root, 'LICENSE'), 'utf8')),
    ],
    [
      'Files: /opt/Trainyard/trainyard /opt/Trainyard/*.so /opt/Trainyard/*.pak',
      'Copyright: Electron contributors, The Chromium Authors and others',
      'License: Electron-and-Chromium',
      ' /opt/Trainyard/LICENSE.electron.txt and /opt/Trainyard/LICENSES.chromium.html hold the texts.',
    ],
  ];
  for (const place of shippedPackages(root)) {
    const folder = join(root, place);
    const { name, license, author } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    );
    const by = typeof author === 'string' ? author : author?.name;
    parts.push([
      `Files: ${name}`,
      `Copyright: ${by ?? `the authors of ${name}`}`,
      `License: ${typeof license === 'string' ? license : 'see-below'} (${name})`,
      indented(licenceOf(folder) ?? 'The package names its licence and brings no text of it.'),
    ]);
  }
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
