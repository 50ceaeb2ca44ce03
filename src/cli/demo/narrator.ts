import type { Output } from '../output.ts';

/** Tells on stderr what the demo does, in steps with their times. */
export interface Narrator {
  step(text: string): void;
  detail(text: string): void;
  seconds(): number;
}

export function createNarrator(output: Output): Narrator {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  let number = 0;
  return {
    step: (text) => {
      number += 1;
      const time = `${seconds().toFixed(1).padStart(5)} s`;
      output.note(`${output.paint('dim', time)}  ${output.paint('bold', `${number}. ${text}`)}`);
    },
    detail: (text) => output.note(`         ${text}`),
    seconds,
  };
}
