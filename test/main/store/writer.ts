// A second process that writes: `hold` begins a write and stays inside it until it is killed; `count N` inserts N rows, one by one.
import { openStore } from '../../../src/main/store/open.ts';
import { inTransaction } from '../../../src/main/store/database.ts';
import { settingRows } from '../../../src/main/store/settings.ts';
import { openLog } from '../../../src/main/platform/log.ts';

const [path = '', verb = '', argument = ''] = process.argv.slice(2);
const store = openStore(path, openLog(`${path}.log`));
if (verb === 'hold') {
  store.use((database) =>
    inTransaction(database, () => {
      database.prepare("INSERT INTO settings (name, value) VALUES ('torn', 'x')").run();
      process.stdout.write('inside\n');
      // The write stays open: only a kill ends this.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
    }),
  );
} else {
  const settings = settingRows(store);
  for (let number = 0; number < Number(argument); number += 1) {
    const done = settings.set(`${process.pid}-${number}`, 'x');
    if (!done.ok) {
      process.stderr.write(done.problem.message);
      process.exit(1);
    }
  }
}
