import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../context.ts';
import { shellWord } from '../format.ts';
import type { DemoGoogle } from './google.ts';
import type { DemoPlaces } from './places.ts';

/** The demo's last words: what to try next. What is kept gets two small shell scripts that make trying it short. */
export async function tellWhatNext(demo: {
  readonly context: Context;
  readonly places: DemoPlaces;
  readonly google: DemoGoogle;
  readonly keep: boolean;
  readonly seconds: number;
}): Promise<void> {
  const { context, places, google, keep } = demo;
  const { output, files } = context;
  const tell = (command: string, why: string) => output.note(`  ${command.padEnd(58)}  ${why}`);
  output.note('');
  output.note(`Done in ${demo.seconds.toFixed(0)} s. What to try next:`);
  if (!keep) {
    tell('npm run demo -- --keep', 'the same, and everything stays to look at');
    tell('npx --no-install trainyard keys add KEY.json', 'a key of your own');
    tell(
      'npx --no-install trainyard run examples/digits/job.yaml',
      'after putting your buckets into it',
    );
    tell('npm start', 'the window');
    return;
  }
  const environment = path.join(places.root, 'environment.sh');
  const start = path.join(places.root, 'start-google.sh');
  const exported = Object.entries({ ...places.environment, ...google.environment });
  await writeFile(
    environment,
    exported.map(([name, value]) => `export ${name}=${shellWord(value)}\n`).join(''),
  );
  const emulator = [process.execPath, files.emulator, ...google.args].map(shellWord).join(' ');
  await writeFile(start, `exec ${emulator}\n`);
  tell(`cd ${shellWord(files.root)}`, '');
  tell(`. ${shellWord(environment)}`, "the demo's home and vault");
  tell('npx --no-install trainyard job latest', 'the job');
  tell('npx --no-install trainyard logs latest', 'what its workers wrote');
  output.note(
    'To run it again, with the embedded Google on the same objects and a new key for the trainer:',
  );
  tell(`sh ${shellWord(start)} &`, '');
  tell('npx --no-install trainyard keys remove lab', '');
  tell(`npx --no-install trainyard keys add ${shellWord(google.keyFiles.trainer)} --name lab`, '');
  tell(`npx --no-install trainyard run ${shellWord(places.jobFile)}`, '');
  output.note('When you have seen enough:');
  tell(`rm -r ${shellWord(places.root)}`, '');
}
