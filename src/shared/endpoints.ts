import * as z from 'zod';

/** An absolute http(s) address without a trailing slash. */
const endpoint = z
  .string()
  .regex(/^https?:\/\/[^\s]*[^/\s]$/, 'an http(s) address, no slash at the end');

/**
 * The addresses of Google's services in force. Frozen in a plan at submit; agent, retry and refresh use those.
 *
 * - `storage`: origin of the JSON API (`/storage/v1`, `/upload/storage/v1`, `/download/storage/v1` lie below it).
 * - `oauthToken`: the whole address of the token endpoint.
 * - `securityTokenService`: the whole address of the STS token endpoint.
 * - `resourceManager`: origin of the Cloud Resource Manager API (`/v1/projects/...` lies below it).
 * - `emulated`: at least one of them was moved by the environment to a loopback address.
 */
export const googleEndpointsSchema = z.strictObject({
  storage: endpoint,
  oauthToken: endpoint,
  securityTokenService: endpoint,
  resourceManager: endpoint,
  emulated: z.boolean(),
});

export type GoogleEndpoints = Readonly<z.infer<typeof googleEndpointsSchema>>;

export const GOOGLE_ENDPOINTS: GoogleEndpoints = {
  storage: 'https://storage.googleapis.com',
  oauthToken: 'https://oauth2.googleapis.com/token',
  securityTokenService: 'https://sts.googleapis.com/v1/token',
  resourceManager: 'https://cloudresourcemanager.googleapis.com',
  emulated: false,
};

/** The environment variable that moves each endpoint. Honoured for loopback addresses only. */
export const ENDPOINT_VARIABLES = {
  storage: 'STORAGE_EMULATOR_HOST',
  oauthToken: 'TRAINYARD_OAUTH_ENDPOINT',
  securityTokenService: 'TRAINYARD_STS_ENDPOINT',
  resourceManager: 'TRAINYARD_RESOURCE_MANAGER_ENDPOINT',
} as const satisfies Record<Exclude<keyof GoogleEndpoints, 'emulated'>, string>;

type EndpointName = keyof typeof ENDPOINT_VARIABLES;
const NAMES = Object.keys(ENDPOINT_VARIABLES) as EndpointName[];
const isMoved = (endpoints: GoogleEndpoints, name: EndpointName): boolean =>
  endpoints[name] !== GOOGLE_ENDPOINTS[name];

/** The variables that move an address to this machine, with where they lead. Pure. */
export const movedAddresses = (
  endpoints: GoogleEndpoints,
): readonly { readonly variable: string; readonly address: string }[] =>
  NAMES.filter((name) => isMoved(endpoints, name)).map((name) => ({
    variable: ENDPOINT_VARIABLES[name],
    address: endpoints[name],
  }));

/**
 * The variables that were left out where only some of the addresses were moved: then no credential is used, since it would go to an emulator that did
 * not give it, or a genuine one to whoever listens on this machine. Empty where all of them lead to Google, or all to this machine. Pure.
 */
export const variablesLeftOut = (endpoints: GoogleEndpoints): readonly string[] =>
  endpoints.emulated
    ? NAMES.filter((name) => !isMoved(endpoints, name)).map((name) => ENDPOINT_VARIABLES[name])
    : [];

const NOWHERE = 'http://127.0.0.1:1';

/** Where Google was emulated by a process that has ended: its port may belong to anybody by now. Whatever would ask is refused in words. */
export const ENDED_EMULATOR: GoogleEndpoints = {
  storage: NOWHERE,
  oauthToken: `${NOWHERE}/token`,
  securityTokenService: `${NOWHERE}/v1/token`,
  resourceManager: NOWHERE,
  emulated: true,
};

export const leadsNowhere = (address: string): boolean =>
  address === NOWHERE || address.startsWith(`${NOWHERE}/`);
