import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import type { Host } from './types.ts';

/** All machines that jobs may run on, by name. */
export interface Hosts {
  /** Errors: `input.host-unknown`. */
  get(name: string): Result<Host>;
  list(): readonly Host[];
}

export function hostsOf(all: readonly Host[]): Hosts {
  return {
    list: () => all,
    get(name) {
      const found = all.find((host) => host.name === name);
      if (found !== undefined) return ok(found);
      return fail(
        problem({
          code: 'input.host-unknown',
          op: 'find the host',
          subject: name,
          message: `There is no host "${name}".`,
          hint: `In this version jobs run on: ${all.map((host) => host.name).join(', ')}.`,
        }),
      );
    },
  };
}
