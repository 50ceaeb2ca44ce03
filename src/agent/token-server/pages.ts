/** Who the workers are, as a metadata server tells it. No secret. */
export interface Identity {
  readonly email: string;
  readonly projectId: string;
  readonly scopes: readonly string[];
}

/** What lies at a path. `token`: a fresh token, which only the server has. */
export type Page =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'token' }
  | { readonly kind: 'missing' };

const text = (...lines: readonly string[]): Page => ({ kind: 'text', text: lines.join('\n') });
const listing = (...names: readonly string[]): Page => text(...names, '');
/** A key does not tell its project's number; gcloud asks for one to learn whether a metadata server is there. */
const NO_NUMBER = '0';
const MISSING: Page = { kind: 'missing' };

/**
 * The pages of Google's metadata server that clients ask for credentials and project
 * (https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys). Identity tokens are not among them. Pure.
 */
export function pageAt(path: string, recursive: boolean, identity: Identity): Page {
  const parts = path.split('/').filter((part) => part !== '');
  const [top, version, branch, ...below] = parts;
  if (top === undefined) return listing('computeMetadata/');
  if (top !== 'computeMetadata') return MISSING;
  if (version === undefined) return listing('v1/');
  if (version !== 'v1') return MISSING;
  switch (branch) {
    case undefined:
      return listing('instance/', 'project/', 'universe/');
    case 'project':
      return projectPage(below, recursive, identity);
    case 'universe':
      return below.length === 1 && below[0] === 'universe-domain'
        ? text('googleapis.com')
        : below.length === 0
          ? listing('universe-domain')
          : MISSING;
    case 'instance':
      return instancePage(below, recursive, identity);
    default:
      return MISSING;
  }
}

function projectPage(below: readonly string[], recursive: boolean, { projectId }: Identity): Page {
  if (below.length === 0)
    return recursive
      ? { kind: 'json', value: { numericProjectId: Number(NO_NUMBER), projectId } }
      : listing('numeric-project-id', 'project-id');
  if (below.length > 1) return MISSING;
  if (below[0] === 'numeric-project-id') return text(NO_NUMBER);
  return below[0] === 'project-id' ? text(projectId) : MISSING;
}

function instancePage(below: readonly string[], recursive: boolean, identity: Identity): Page {
  const [accounts, name, field, ...more] = below;
  const { email, scopes } = identity;
  const account = { aliases: ['default'], email, scopes };
  const all = { default: account, [email]: account };
  if (accounts === undefined)
    return recursive
      ? { kind: 'json', value: { serviceAccounts: all } }
      : listing('service-accounts/');
  if (accounts !== 'service-accounts' || more.length > 0) return MISSING;
  if (name === undefined)
    return recursive ? { kind: 'json', value: all } : listing('default/', `${email}/`);
  if (name !== 'default' && name !== email) return MISSING;
  switch (field) {
    case undefined:
      return recursive
        ? { kind: 'json', value: account }
        : listing('aliases', 'email', 'scopes', 'token');
    case 'aliases':
      return listing('default');
    case 'email':
      return text(email);
    case 'scopes':
      return listing(...scopes);
    case 'token':
      return { kind: 'token' };
    default:
      return MISSING;
  }
}
