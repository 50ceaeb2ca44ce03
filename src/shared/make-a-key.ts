/** How a key is made at Google. */
export const WHERE_KEYS_ARE_MADE =
  'In the Google Cloud console open IAM & Admin, Service Accounts, choose the account, then Keys, Add key, Create new key, JSON';

/**
 * What stands in the way for many: organisations made since May 2024 forbid new keys unless they say otherwise
 * (https://cloud.google.com/resource-manager/docs/secure-by-default-organizations). The policy has two forms.
 */
export const KEYS_FORBIDDEN =
  'Where that is refused, your organisation forbids new keys, as new organisations do from the start: ask its administrator to exempt the project from the policy iam.disableServiceAccountKeyCreation (or iam.managed.disableServiceAccountKeyCreation).';
