#!/usr/bin/env node
// This file is read by any Node.js: it only checks the version and hands on.
const [major] = process.versions.node.split('.').map(Number);
if (major < 20) {
  process.stderr.write(
    `Trainyard needs Node.js 20 or newer, and this is ${process.versions.node}: install a newer one, then run the same command again.\n`,
  );
  process.exit(2);
}
import('./launch.mjs');
