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
