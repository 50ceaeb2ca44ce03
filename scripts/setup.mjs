// Installs what is missing, then builds: `npm run setup`, and before `npm run demo`, `npm start` and `npm test`.
// Instant when there is nothing to do. This file is read by any Node.js: it only checks the version and hands on.
const [major] = process.versions.node.split('.').map(Number);
if (major < 20) {
  process.stderr.write(
    `Trainyard needs Node.js 20 or newer, and this is ${process.versions.node}: install a newer one, then run the same command again.\n`,
  );
  process.exit(1);
}
import('./setup/main.mjs')
  .then(({ main }) => main(process.argv.slice(2)))
  .then(
    (status) => process.exit(status),
    (error) => {
      process.stderr.write(`Set-up stopped: ${error instanceof Error ? error.message : error}\n`);
      process.exit(1);
    },
  );
