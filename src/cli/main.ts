import { runProgram } from './program.ts';

const status = await runProgram(process.argv.slice(2));
// Kept-alive connections and timers must not hold the process; what was written is flushed first.
process.stdout.write('', () => process.stderr.write('', () => process.exit(status)));
