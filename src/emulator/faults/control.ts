import type { IncomingMessage } from 'node:http';
import { readBody } from '../body.ts';
import { plainJson, type Reply } from '../reply.ts';
import type { FaultRegister } from './register.ts';
import { parseFaults } from './rules.ts';

/** Where the rules are read and changed while the emulator runs. */
export const CONTROL_PATH = '/trainyard/faults';

const LARGEST_FILE = 8 * 1024 * 1024;

/** GET: the rules with how often each fired. PUT: other rules. DELETE: none. Never befallen by a fault itself, and not in the request log. */
export async function answerControl(
  request: IncomingMessage,
  register: FaultRegister,
): Promise<Reply> {
  // A web page that is open in a browser on this machine has no business here.
  if (request.headers.origin !== undefined)
    return plainJson({ error: 'Requests from web pages are refused.' }, 403);
  switch (request.method) {
    case 'GET':
      break;
    case 'PUT': {
      const body = await readBody(request, LARGEST_FILE);
      if (body === null) return plainJson({ error: 'The body is too large.' }, 413);
      const parsed = parseFaults(body.toString('utf8'));
      if (!parsed.ok) return plainJson({ error: parsed.message }, 400);
      register.set(parsed.rules);
      break;
    }
    case 'DELETE':
      register.set([]);
      break;
    default:
      return plainJson({ error: 'Use GET, PUT or DELETE.' }, 405);
  }
  return plainJson({ rules: register.report() });
}
