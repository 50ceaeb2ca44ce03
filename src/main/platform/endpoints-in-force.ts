import type { GoogleEndpoints } from '../../shared/endpoints.ts';

/** The endpoints that this process uses, which the sample data moves while it is in use. */
export interface EndpointsInForce {
  /**
   * Reads as the endpoints of this moment, each time it is read. Whoever keeps endpoints for later, a plan or a source of tokens, copies them
   * (`{ ...endpoints }`).
   */
  readonly live: GoogleEndpoints;
  /** Those that the process began with: the environment's. */
  readonly first: GoogleEndpoints;
  use(endpoints: GoogleEndpoints): void;
}

export function endpointsInForce(first: GoogleEndpoints): EndpointsInForce {
  let now = first;
  const live: GoogleEndpoints = {
    get storage() {
      return now.storage;
    },
    get oauthToken() {
      return now.oauthToken;
    },
    get securityTokenService() {
      return now.securityTokenService;
    },
    get resourceManager() {
      return now.resourceManager;
    },
    get emulated() {
      return now.emulated;
    },
  };
  return {
    live,
    first,
    use(endpoints) {
      now = endpoints;
    },
  };
}
