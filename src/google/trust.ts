import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import tls, { type SecureContext } from 'node:tls';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the distributions of Linux keep the certificates that their administrators trust, in one file. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
] as const;

const CERTIFICATE =
  /-----BEGIN (TRUSTED )?CERTIFICATE-----[^-]+-----END (TRUSTED )?CERTIFICATE-----/g;

/** The certificates of a PEM file, each once and in one spelling. Pure. */
export function certificatesIn(text: string): readonly string[] {
  const lines = (text.match(CERTIFICATE) ?? [])
    .filter((one) => !one.includes('TRUSTED'))
    .map((one) => one.replace(/\r/g, '').replace(/[ \t]+$/gm, ''));
  return [...new Set(lines)];
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function inFolders(folders: string): readonly string[] {
  return folders.split(':').flatMap((folder) => {
    if (folder === '') return [];
    try {
      return readdirSync(folder).flatMap((name) =>
        certificatesIn(readOrNull(join(folder, name)) ?? ''),
      );
    } catch {
      return [];
    }
  });
}

/** Variables that name files of certificates, as OpenSSL and Node.js have them. */
const FILE_VARIABLES = ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'] as const;

/** The variables whose file of certificates cannot be read: nothing in it is trusted, and nobody says so. */
export const unreadableCertificates = (env: Environment): readonly string[] =>
  FILE_VARIABLES.filter((name) => {
    const file = env[name] ?? '';
    return file !== '' && certificatesIn(readOrNull(file) ?? '').length === 0;
  });

/** What the system trusts beside Node.js: its keychain or certificate store where Node.js can ask for that, its files on Linux. */
function ofSystem(env: Environment): readonly string[] {
  const named = FILE_VARIABLES.flatMap((name) => certificatesIn(readOrNull(env[name] ?? '') ?? ''));
  const folders = inFolders(env['SSL_CERT_DIR'] ?? '');
  if (process.platform === 'linux') {
    for (const file of (env['SSL_CERT_FILE'] ?? '') === '' ? SYSTEM_FILES : []) {
      const found = certificatesIn(readOrNull(file) ?? '');
      if (found.length > 0) return [...named, ...folders, ...found];
    }
    return [...named, ...folders];
  }
  try {
    // Electron's Node.js may be older, and then has no such function.
    return [...named, ...folders, ...certificatesIn(tls.getCACertificates('system').join('\n'))];
  } catch {
    return [...named, ...folders];
  }
}

let trusted: SecureContext | null | undefined;

/**
 * The certificates that count for connections to Google and to proxies: those that Node.js brings, those of this system, and what `SSL_CERT_FILE`,
 * `SSL_CERT_DIR` and `NODE_EXTRA_CA_CERTS` name. Read once in a process, at the first use. Where Node.js can be told (24 and later), every connection of this process that names none
 * trusts them from then on. Null where Node.js trusts them all by itself.
 */
export function trustedContext(): SecureContext | null {
  if (trusted !== undefined) return trusted;
  const own = certificatesIn(tls.rootCertificates.join('\n'));
  const known = new Set(own);
  const more = ofSystem(process.env).filter((one) => !known.has(one));
  if (more.length === 0) return (trusted = null);
  const all = [...own, ...more];
  try {
    tls.setDefaultCACertificates(all);
  } catch {
    // An older Node.js: those that are given the context trust them.
  }
  trusted = tls.createSecureContext({ ca: all });
  return trusted;
}

/** Whether connections of this process that name no certificates trust what {@link trustedContext} found. */
export const nodeTrustsThem = (): boolean =>
  trustedContext() === null || typeof tls.setDefaultCACertificates === 'function';

const UNCHECKED = 'NODE_TLS_REJECT_UNAUTHORIZED';

/**
 * Certificates are always checked: what is sent to Google is worth more than the comfort of not doing so. Takes Node's switch against it out of this
 * process's environment; answers whether it was there.
 */
export function checkAlways(env: Record<string, string | undefined> = process.env): boolean {
  const was = env[UNCHECKED];
  Reflect.deleteProperty(env, UNCHECKED);
  return was === '0';
}
