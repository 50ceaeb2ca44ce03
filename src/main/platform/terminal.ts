import { readFileSync } from 'node:fs';
import { textOfBytes, variablesIn } from '../../shared/raw-text.ts';
import { terminalVariables } from '../../shared/terminal-environment.ts';
import type { Environment } from './paths.ts';

/**
 * What the terminal's environment has for workers, when this program was started there. Node.js replaces bytes that are no UTF-8: the system still has
 * them (Linux).
 */
export function terminalOf(environment: Environment): Readonly<Record<string, string>> {
  const variables = terminalVariables(environment);
  if (!Object.values(variables).some((value) => value.includes('\ufffd'))) return variables;
  const raw = ownVariables();
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => {
      return [name, value.includes('\ufffd') ? (raw[name] ?? value) : value];
    }),
  );
}

function ownVariables(): Readonly<Record<string, string>> {
  try {
    return variablesIn(textOfBytes(readFileSync('/proc/self/environ')));
  } catch {
    return {};
  }
}
