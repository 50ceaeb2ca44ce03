// `npm run test:times`: the twenty dearest tests and files of the last run, by the time that they took in it.
import { readReport } from './lib/test-report.mjs';

const LINES = 20;
const seconds = (milliseconds) => (milliseconds / 1000).toFixed(1).padStart(7);

function print(title, rows) {
  const sorted = rows.toSorted((a, b) => b.milliseconds - a.milliseconds);
  const sum = rows.reduce((all, { milliseconds }) => all + milliseconds, 0);
  process.stdout.write(
    `\n${title}: ${rows.length}, ${(sum / 1000).toFixed(0)} s one after the other\n`,
  );
  for (const { label, milliseconds } of sorted.slice(0, LINES))
    process.stdout.write(`${seconds(milliseconds)} s  ${label}\n`);
}

let known = false;
for (const part of ['parts', 'window']) {
  const report = readReport(part);
  if (report === null) continue;
  known = true;
  const files = new Map();
  for (const { file, milliseconds } of report.tests)
    files.set(file, (files.get(file) ?? 0) + milliseconds);
  const ran = report.tests.filter(({ state }) => state !== 'skipped');
  print(
    `Tests of the ${part}`,
    ran.map(({ file, name, milliseconds }) => ({ label: `${file}: ${name}`, milliseconds })),
  );
  print(
    `Files of the ${part}`,
    [...files].map(([label, milliseconds]) => ({ label, milliseconds })),
  );
}
if (!known) {
  process.stderr.write('No run is on record here: run the tests first (npm test).\n');
  process.exit(1);
}
