import { MAKE_A_KEY, type WrongFile } from './key-refusal.ts';
import { lineBreaksAreGone, readPemFrame, type PemKind } from './private-key.ts';

const GIVE_JSON = `Trainyard takes Google’s JSON key file, which also names the account. ${MAKE_A_KEY}`;

const PEM: Readonly<Record<PemKind, readonly [WrongFile['code'], string, string]>> = {
  private: ['input.key-pem-alone', 'The file holds a private key alone (PEM).', GIVE_JSON],
  'rsa-private': ['input.key-pem-alone', 'The file holds a private key alone (PEM).', GIVE_JSON],
  encrypted: [
    'input.key-pem-encrypted',
    'The file holds a private key that is protected by a passphrase (PEM).',
    GIVE_JSON,
  ],
  ec: [
    'input.key-pem-not-rsa',
    'The file holds an elliptic-curve key (PEM); keys of service accounts are RSA.',
    GIVE_JSON,
  ],
  dsa: [
    'input.key-pem-not-rsa',
    'The file holds a DSA key (PEM); keys of service accounts are RSA.',
    GIVE_JSON,
  ],
  openssh: [
    'input.key-ssh',
    'The file holds an SSH key.',
    `It opens machines, not buckets. ${MAKE_A_KEY}`,
  ],
  public: [
    'input.key-public',
    'The file holds a public key.',
    `A public key cannot sign in. ${MAKE_A_KEY}`,
  ],
  certificate: [
    'input.key-certificate',
    'The file holds a certificate.',
    `A certificate cannot sign in. ${MAKE_A_KEY}`,
  ],
  request: [
    'input.key-certificate',
    'The file holds a certificate request.',
    `A certificate request cannot sign in. ${MAKE_A_KEY}`,
  ],
  other: ['input.key-pem-unknown', 'The file holds a PEM block of an unknown kind.', GIVE_JSON],
};

interface TextKind {
  readonly is: (text: string) => boolean;
  readonly wrong: WrongFile;
}

const kind = (
  is: RegExp | ((text: string) => boolean),
  code: WrongFile['code'],
  message: string,
  hint: string,
): TextKind => ({
  is: typeof is === 'function' ? is : (text) => is.test(text),
  wrong: { code, message, hint },
});

const oneLine = (text: string): boolean => !/[\r\n]/.test(text);

function base64Text(text: string): Buffer | null {
  const compact = text.replace(/\s+/g, '');
  if (compact.length < 40 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(compact)) return null;
  return Buffer.from(compact, 'base64');
}

const LINES_GONE: WrongFile = {
  code: 'input.key-pem-one-line',
  message: 'The file holds a PEM block alone, and its line breaks are gone.',
  hint: `It went through a field or variable that holds one line. ${GIVE_JSON}`,
};

/** Texts that are no JSON, by what gives them away; the first that fits counts. */
const KINDS: readonly TextKind[] = [
  kind(
    /^\{\\rtf/,
    'input.key-word-processor',
    'The file is a document of a word processor.',
    `Use the file as Google gave it. ${MAKE_A_KEY}`,
  ),
  kind(
    /^<(!doctype|html|\?xml|[a-z]+[\s>])/i,
    'input.key-web-page',
    'The file is a web page or XML document: a sign-in page may have been saved in place of the key.',
    `Sign in, download the key again, and give that file. ${MAKE_A_KEY}`,
  ),
  kind(
    /^(ssh-(rsa|ed25519|dss)|ecdsa-sha2-\S+) /,
    'input.key-ssh',
    'The file holds a public SSH key.',
    `It opens machines, not buckets. ${MAKE_A_KEY}`,
  ),
  kind(
    /^AIza[A-Za-z0-9_-]{30,}$/,
    'input.key-api-key',
    'This is an API key.',
    `An API key names a project and opens no bucket. ${MAKE_A_KEY}`,
  ),
  kind(
    /^ya29\./,
    'input.key-access-token',
    'This is an access token.',
    `A token ends within an hour; Trainyard makes its own from a key. ${MAKE_A_KEY}`,
  ),
  kind(
    /^1\/\/[A-Za-z0-9_-]{20,}$/,
    'input.key-refresh-token',
    'This is a refresh token of a person’s sign-in.',
    `Use a service account of your own for training, not a personal sign-in. ${MAKE_A_KEY}`,
  ),
  kind(
    /^eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/,
    'input.key-signed-token',
    'This is a signed token (JWT).',
    `A token ends soon; Trainyard makes its own from a key. ${MAKE_A_KEY}`,
  ),
  kind(
    /^apiVersion:[\s\S]*\b(clusters|contexts|users):/m,
    'input.key-kubeconfig',
    'The file is a Kubernetes configuration (kubeconfig).',
    `It opens a cluster, not a bucket. ${MAKE_A_KEY}`,
  ),
  kind(
    /^\s*"?type"?\s*=\s*["']?service_account\b/m,
    'input.key-ini',
    'The file holds the fields of a key as TOML or INI, such as Streamlit’s secrets, and not as JSON.',
    `Use the file as Google gave it. ${MAKE_A_KEY}`,
  ),
  kind(
    /^\[[^\]\n]+\]\s*\n(?:[^[][^\n]*\n)*?\s*type\s*=/m,
    'input.key-rclone',
    'The file is a configuration of rclone.',
    `Where it names a service_account_file, give that file. ${MAKE_A_KEY}`,
  ),
  kind(
    /\bGOOG[A-Z0-9]{16,}\b|^\s*access ?(key|id)[\s_a-z]*,\s*secret/i,
    'input.key-hmac',
    'The file holds an HMAC key (an access id and a secret).',
    `HMAC keys serve the S3-compatible interface only. ${MAKE_A_KEY}`,
  ),
  kind(
    /^\s*\[?.*\]?[\s\S]*\baws_(access_key_id|secret_access_key)\b/i,
    'input.key-aws',
    'The file holds credentials of Amazon Web Services.',
    `They open no Google bucket. ${MAKE_A_KEY}`,
  ),
  kind(
    /^\s*(#.*\n|\s)*\[Credentials\]|\bgs_(access_key_id|service_key_file|oauth2_refresh_token)\b/i,
    'input.key-boto',
    'The file is a configuration of gsutil (boto).',
    `Give the key file itself. ${MAKE_A_KEY}`,
  ),
  kind(
    /^\[(core|auth|compute|default)\]/,
    'input.key-gcloud-configuration',
    'The file is a configuration of gcloud.',
    `It holds settings and no key. ${MAKE_A_KEY}`,
  ),
  kind(
    /^\$ANSIBLE_VAULT;/,
    'input.key-ansible-vault',
    'The file is encrypted by Ansible Vault.',
    'Decrypt it first (`ansible-vault view FILE > key.json`), give the decrypted file, and remove it afterwards.',
  ),
  kind(
    /^-----BEGIN AGE ENCRYPTED FILE-----|^(#.*\n)*AGE-SECRET-KEY-1/,
    'input.key-age-armour',
    'The file is a text that age wrote: an encrypted file, or the key that opens such files.',
    `Decrypt the key file first (\`age --decrypt -i IDENTITY FILE > key.json\`) and give that. ${MAKE_A_KEY}`,
  ),
  kind(
    /^-----BEGIN PGP [A-Z ,/0-9]+-----/,
    'input.key-pgp',
    'The file is a message, key or signature of PGP.',
    `Where a key file is encrypted in it, decrypt that first (\`gpg --decrypt FILE > key.json\`) and give the decrypted file. ${MAKE_A_KEY}`,
  ),
  kind(
    /^version https:\/\/git-lfs\.github\.com\/spec\//,
    'input.key-git-lfs',
    'The file is a pointer of Git LFS: the content that it stands for was not fetched.',
    'Fetch it first (`git lfs pull`). A key in a repository is known to everybody who can read it: better make a new one, and delete that one.',
  ),
  kind(
    (text) =>
      oneLine(text) &&
      /^["']?(\$\{?[A-Za-z_]|%[A-Za-z_]+%|[~./\\]|[A-Za-z]:[\\/]|file:)/.test(text) &&
      text.length < 4_096,
    'input.key-path',
    'This is the path of a file (or the name of a variable that holds one), not its contents.',
    'Give the file at that path. Variables such as $GOOGLE_APPLICATION_CREDENTIALS are not resolved: write the path itself.',
  ),
  kind(
    /^\s*(export |set |\$env:)?[A-Z][A-Z0-9_]*\s*=/,
    'input.key-environment',
    'The file sets environment variables.',
    `Where one of them holds the path of a key file, give that file. ${MAKE_A_KEY}`,
  ),
  kind(
    (text) => oneLine(text) && /^(gs|https?):\/\//.test(text),
    'input.key-address',
    'This is an address, not a key file.',
    `Download the key file first, then give it. ${MAKE_A_KEY}`,
  ),
  kind(
    (text) => oneLine(text) && /^[^\s@]+@[^\s@]+\.[a-z]+$/i.test(text),
    'input.key-email-alone',
    'This is an e-mail address, not a key file.',
    `The key of that account is a file. ${MAKE_A_KEY}`,
  ),
  kind(
    (text) => base64Text(text)?.toString('latin1').trimStart().startsWith('{') ?? false,
    'input.key-base64',
    'The file is a key file encoded in base64.',
    'Decode it first (`base64 --decode FILE > key.json`), then give the decoded file, and remove both afterwards.',
  ),
  kind(
    (text) => base64Text(text)?.toString('latin1').startsWith('-----BEGIN ') ?? false,
    'input.key-base64-pem',
    'The file is a PEM block, such as a private key alone, encoded in base64.',
    GIVE_JSON,
  ),
  kind(
    (text) => base64Text(text)?.[0] === 0x30,
    'input.key-base64-binary',
    'The file is a key in binary form, encoded in base64.',
    GIVE_JSON,
  ),
  kind(
    /^"?type"?\s*:\s*"?service_account/m,
    'input.key-yaml',
    'The file holds the fields of a key in another form than JSON.',
    `Use the file as Google gave it. ${MAKE_A_KEY}`,
  ),
  kind(
    /^(-{3}\s|apiVersion:)/,
    'input.key-yaml',
    'The file is YAML, not JSON.',
    `Use the file as Google gave it. ${MAKE_A_KEY}`,
  ),
];

/** What a text that is not JSON is, where it is known; null otherwise. `text` has no blank space around it. */
export function wrongText(text: string): WrongFile | null {
  const pem = text.startsWith('{') ? null : readPemFrame(text);
  if (
    pem !== null &&
    !/^-----BEGIN (PGP|AGE) /.test(text) &&
    /^(-----BEGIN|Bag Attributes)/.test(text)
  ) {
    if (!pem.complete)
      return {
        code: 'input.key-pem-truncated',
        message: 'The file holds a PEM block alone, and it is cut off: its end line is missing.',
        hint: GIVE_JSON,
      };
    if (lineBreaksAreGone(text)) return LINES_GONE;
    const [code, message, hint] = PEM[pem.kind];
    return { code, message, hint };
  }
  return KINDS.find((known) => known.is(text))?.wrong ?? null;
}
