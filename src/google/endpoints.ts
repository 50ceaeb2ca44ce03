import { ENDPOINT_VARIABLES, GOOGLE_ENDPOINTS, type GoogleEndpoints } from '../shared/endpoints.ts';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import { isLoopback } from './routes.ts';

/** The part of the URL class that is used here; the address is checked before it is trusted. */
function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

type EndpointName = keyof typeof ENDPOINT_VARIABLES;

/** The path that each variable may or must have. */
const PATHS: Readonly<Record<EndpointName, 'none' | 'any'>> = {
  storage: 'none',
  oauthToken: 'any',
  securityTokenService: 'any',
  resourceManager: 'none',
};

function readEndpoint(name: EndpointName, text: string): Result<string> {
  const variable = ENDPOINT_VARIABLES[name];
  const refuse = (message: string, hint: string) =>
    fail(
      problem({
        code: 'input.endpoint',
        op: 'read the environment',
        subject: variable,
        message,
        hint,
      }),
    );
  const example = `Write it as http://127.0.0.1:PORT${PATHS[name] === 'any' ? '/path' : ''}, or unset ${variable}.`;
  const url = parseUrl(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null) return refuse(`${variable} is not an address.`, example);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return refuse(`${variable} is not an http address.`, example);
  // What was written without a scheme and names no machine and no port was never meant as an address.
  if (!isLoopback(url.hostname) && !/[.:]/.test(text))
    return refuse(`${variable} is not an address.`, example);
  if (!isLoopback(url.hostname))
    return refuse(
      `${variable} points to another machine; Trainyard moves Google's addresses only to this one (localhost, 127.0.0.0/8, [::1]).`,
      `Unset ${variable} to work with Google, or point it at an emulator on this machine.`,
    );
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return refuse(`${variable} holds more than an address.`, example);
  const path = url.pathname.replace(/\/+$/, '');
  if (path !== '' && PATHS[name] === 'none')
    return refuse(`${variable} holds a path; only scheme, host and port belong there.`, example);
  return ok(`${url.origin}${path}`);
}

/**
 * Google's addresses, moved by the environment variables of {@link ENDPOINT_VARIABLES} where they are set and not empty.
 * Only loopback addresses are honoured; a missing scheme means `http://`, slashes at the end are dropped.
 * Errors: `input.endpoint`, which names the variable and never repeats its value.
 */
export function endpointsFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Result<GoogleEndpoints> {
  const moved: Partial<Record<EndpointName, string>> = {};
  for (const name of Object.keys(ENDPOINT_VARIABLES) as EndpointName[]) {
    const text = env[ENDPOINT_VARIABLES[name]]?.trim() ?? '';
    if (text === '') continue;
    const read = readEndpoint(name, text);
    if (!read.ok) return read;
    moved[name] = read.value;
  }
  return ok({ ...GOOGLE_ENDPOINTS, ...moved, emulated: Object.keys(moved).length > 0 });
}

/** The values of a key file's `token_uri` that are accepted: Google's, and the emulated one while it is in force; with it any other loopback address. */
export function acceptedTokenUris(endpoints: GoogleEndpoints): string[] {
  return [...new Set([GOOGLE_ENDPOINTS.oauthToken, endpoints.oauthToken])];
}
