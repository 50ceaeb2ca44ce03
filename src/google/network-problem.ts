import { problem, type Problem } from '../shared/problem.ts';
import { EmulatorEndedError, StrangerListensError } from './listener.ts';
import { ProxyFailedError, ProxyRefusedError, ProxySettingError } from './proxy-faults.ts';
import { DESKTOP, isLoopback, shownProxy, type Proxy } from './routes.ts';
import { unreadableCertificates } from './trust.ts';

/** What a problem says of itself: the operation and its subject. */
export interface ProblemContext {
  readonly op: string;
  readonly subject: string;
}

const UNREACHABLE = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EAI_NODATA',
  'EAI_NONAME',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
]);
const TIMED_OUT = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
const CERTIFICATE =
  /^(CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|INVALID_CA|ERR_TLS_CERT|ERR_SSL_TLSV1_ALERT_UNKNOWN_CA|HOSTNAME_MISMATCH)/;
const UNKNOWN_ISSUER =
  /^(DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY|CERT_UNTRUSTED|INVALID_CA)/;
const WRONG_TIME = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
const WRONG_NAME = new Set(['ERR_TLS_CERT_ALTNAME_INVALID', 'HOSTNAME_MISMATCH']);
/** The other end answered something that is not TLS. */
const NOT_TLS =
  /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL|HTTP_REQUEST|HTTPS_PROXY_REQUEST)$/;
/** Codes of this machine's files and of wrong calls, none of which a network brings about. */
const NO_NETWORK =
  /^(ENOENT|ENOTDIR|EISDIR|ENOSPC|EDQUOT|EROFS|EFBIG|ENAMETOOLONG|UND_ERR_INVALID.*|UND_ERR_NOT_SUPPORTED|ERR_(?!SSL_|TLS_|OSSL_|STREAM_PREMATURE_CLOSE|HTTP2_|SOCKET_).*)$/;

/** An error, its causes and the errors that it stands for, from the outside in. */
function chainOf(error: unknown, depth = 0): readonly unknown[] {
  if (typeof error !== 'object' || error === null || depth > 5) return [error];
  const parts = [
    ...('errors' in error && Array.isArray(error.errors) ? (error.errors as unknown[]) : []),
    ...('cause' in error && error.cause !== undefined ? [error.cause] : []),
  ];
  return [error, ...parts.flatMap((part) => chainOf(part, depth + 1))];
}

const codeOf = (error: unknown): string | null =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : null;

const MISTAKES = [TypeError, ReferenceError, RangeError, SyntaxError, URIError] as const;
/** What `fetch` wraps whatever befell it in. */
const FETCH_WRAPS = new Set(['fetch failed', 'terminated']);

/** Whether an error that came in place of an answer is a mistake of this program rather than something that a network does. Pure. */
export function isMistake(error: unknown): boolean {
  const chain = chainOf(error);
  if (chain.some((one) => one instanceof ProxyFailedError)) return false;
  const codes = chain.flatMap((one) => codeOf(one) ?? []);
  if (codes.length > 0) return codes.every((code) => NO_NETWORK.test(code));
  return chain.some(
    (one) =>
      MISTAKES.some((kind) => one instanceof kind) &&
      !(one instanceof TypeError && FETCH_WRAPS.has(one.message)),
  );
}

/** Google's services answer at a loopback address only where the environment moved them. */
function isLoopbackHost(host: string): boolean {
  return URL.canParse(`http://${host}`) && isLoopback(new URL(`http://${host}`).hostname);
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : 'the server';
}

type Fields = Pick<Problem, 'code' | 'message' | 'hint'> & { readonly retryable?: boolean };

const VARIABLES_LEAD =
  'unset STORAGE_EMULATOR_HOST and the TRAINYARD_..._ENDPOINT variables, which move the addresses of Google to this machine';

/** A proxy as messages name it: `the proxy http://proxy:3128 (HTTPS_PROXY)`. */
export const nameOfProxy = (proxy: Proxy): string => `proxy ${shownProxy(proxy)} (${proxy.from})`;

function otherSetting(proxy: Proxy): string {
  return proxy.from === DESKTOP
    ? 'Check the proxy settings of this desktop'
    : `Check ${proxy.from}`;
}

function refusedByProxy(
  { proxy, meaning, said, signIns }: ProxyRefusedError,
  host: string,
): Fields {
  const name = nameOfProxy(proxy);
  switch (meaning) {
    case 'forbidden':
      return {
        code: 'network.proxy-refused',
        message: `The ${name} refuses to connect to ${host} (${said}).`,
        hint: `Ask the administrators of your network to allow ${host}, or for the proxy that may. Trainyard needs storage.googleapis.com, oauth2.googleapis.com and sts.googleapis.com, port 443.`,
      };
    case 'no-way':
      return {
        code: 'network.proxy-no-way',
        message: `The ${name} found no way to ${host} (${said}).`,
        hint: `${otherSetting(proxy)}: another proxy may be meant. Where this machine reaches Google without one, name .googleapis.com in NO_PROXY.`,
      };
    case 'sign-in':
      return signInWanted(proxy, said, signIns);
  }
}

function signInWanted(proxy: Proxy, said: string, signIns: readonly string[]): Fields {
  const name = nameOfProxy(proxy);
  if (signIns.length > 0 && !signIns.includes('basic'))
    return {
      code: 'network.proxy-sign-in',
      message: `The ${name} wants a sign-in of the kind ${signIns.join(' or ')} (${said}), which Trainyard does not speak.`,
      hint: 'Ask the administrators of your network for a proxy that takes a user name and password, or let a program on this machine sign in (cntlm or px do) and name its address as the proxy.',
    };
  const variable = proxy.from === DESKTOP ? 'HTTPS_PROXY' : proxy.from;
  const example = `${variable}=${proxy.scheme}://USER:PASSWORD@${proxy.host}:${proxy.port}`;
  return {
    code: 'network.proxy-sign-in',
    message:
      proxy.user === null
        ? `The ${name} wants a user name and a password (${said}).`
        : `The ${name} does not accept the user name and password that ${variable} holds (${said}).`,
    hint: `Start Trainyard with ${example}. Write signs such as @, : and / in them percent-encoded (%40, %3A, %2F).`,
  };
}

function failedProxy({ proxy, cause }: ProxyFailedError): Fields {
  const name = nameOfProxy(proxy);
  const code = chainOf(cause).flatMap((one) => codeOf(one) ?? [])[0] ?? null;
  const detail = code === null ? '' : ` (${code})`;
  if (code !== null && (CERTIFICATE.test(code) || NOT_TLS.test(code))) {
    const fields = certificateFields(code, `the ${name}`);
    return NOT_TLS.test(code)
      ? {
          ...fields,
          hint: `${otherSetting(proxy)}: most proxies are named with http://, also for https addresses.`,
        }
      : fields;
  }
  const isSilent = code !== null && TIMED_OUT.has(code);
  const isAbsent = code !== null && UNREACHABLE.has(code);
  return {
    code: isSilent ? 'network.timeout' : isAbsent ? 'network.unreachable' : 'network.broken',
    message: isSilent
      ? `The ${name} did not answer in time${detail}.`
      : isAbsent
        ? `The ${name} cannot be reached${detail}.`
        : `The ${name} broke off the connection, or is none${detail}.`,
    hint: `${otherSetting(proxy)} and the network connection of this machine, then try again.`,
    retryable: true,
  };
}

function certificateFields(code: string, name: string): Fields {
  if (NOT_TLS.test(code))
    return {
      code: 'network.unexpected-answer',
      message: `What answers for ${name} does not speak TLS (${code}).`,
      hint: 'A proxy or the sign-in page of a network may stand between: open a web page to sign in, or check the proxy settings, then try again.',
    };
  const fields = (message: string, hint: string): Fields => ({
    code: 'network.certificate',
    message: `${message} (${code}).`,
    hint,
  });
  if (WRONG_TIME.has(code))
    return fields(
      `The certificate of ${name} is not valid today`,
      'Check that the clock of this machine is right. Where it is, something else may answer in place of it: a proxy of your company, or the sign-in page of a network.',
    );
  if (WRONG_NAME.has(code))
    return fields(
      `What answers for ${name} shows a certificate of another name`,
      'A proxy of your company or the sign-in page of a network may stand between: open a web page to sign in, or check the proxy settings, then try again.',
    );
  const unreadable = unreadableCertificates(process.env);
  const unread =
    unreadable.length === 0
      ? ''
      : ` The file that ${unreadable.join(' and ')} ${unreadable.length === 1 ? 'names' : 'name'} cannot be read, or holds no certificate.`;
  if (UNKNOWN_ISSUER.test(code))
    return fields(
      `The certificate of ${name} is not trusted: this machine does not know who issued it`,
      `A company proxy may look into connections and answer with a certificate of its own. Ask the administrators of your network for its certificate file (PEM); add it to the certificates of this system, or name the file in NODE_EXTRA_CA_CERTS and start Trainyard again.${unread}`,
    );
  return fields(
    `The certificate of ${name} is not trusted`,
    `A company proxy may stand between: ask the administrators of your network. Also check that the clock of this machine is right.${unread}`,
  );
}

/** Whether `fetch` refused a port without asking: it never does, for a fixed list of them. */
const isBadPort = (chain: readonly unknown[]): boolean =>
  chain.some((one) => one instanceof Error && one.message === 'bad port');

function fieldsOf(error: unknown, host: string): Fields {
  const chain = chainOf(error);
  const setting = chain.find((one) => one instanceof ProxySettingError);
  if (setting !== undefined)
    return {
      code: 'network.proxy-setting',
      message: `No connection was made: ${setting.message}`,
      hint: `Write ${setting.route.from === DESKTOP ? 'it' : setting.route.from} as http://PROXY:PORT, https://PROXY:PORT or socks5://PROXY:PORT, or name ${host} in NO_PROXY.`,
    };
  const refused = chain.find((one) => one instanceof ProxyRefusedError);
  if (refused !== undefined) return refusedByProxy(refused, host);
  const failed = chain.find((one) => one instanceof ProxyFailedError);
  if (failed !== undefined) return failedProxy(failed);
  if (isBadPort(chain))
    return {
      code: 'network.unreachable',
      message: `${host} was not asked: its port belongs to another kind of service, and web programs refuse such ports.`,
      hint: isLoopbackHost(host)
        ? `Start the emulator at another port, 4443 for example, and name that; or ${VARIABLES_LEAD}.`
        : 'Check the address for a typing mistake.',
    };
  return fieldsOfCode(
    chain.flatMap((one) => codeOf(one) ?? [])[0] ?? null,
    host,
    chain.some((one) => one instanceof Error && one.name === 'TimeoutError'),
  );
}

function fieldsOfCode(code: string | null, host: string, isLate: boolean): Fields {
  const detail = code === null ? '' : ` (${code})`;
  if (isLate || (code !== null && TIMED_OUT.has(code)))
    return {
      code: 'network.timeout',
      message: `${host} did not answer in time${detail}.`,
      hint: 'Check the network connection, then try again.',
      retryable: true,
    };
  if (code === 'ECONNREFUSED') {
    const emulated = isLoopbackHost(host);
    return {
      code: 'network.unreachable',
      message: emulated
        ? `Nothing listens at ${host} (ECONNREFUSED).`
        : `${host} cannot be reached: it refuses the connection (ECONNREFUSED).`,
      hint: emulated
        ? 'Environment variables move the addresses of Google to this machine, and the emulator there may have ended: start it again, or unset STORAGE_EMULATOR_HOST and the TRAINYARD_..._ENDPOINT variables.'
        : 'Check the network connection of this machine and its proxy settings, then try again.',
      retryable: true,
    };
  }
  if (code !== null && UNREACHABLE.has(code))
    return {
      code: 'network.unreachable',
      message: `${host} cannot be reached${detail}.`,
      hint: 'Check the network connection of this machine, its name server and its proxy settings, then try again. Where a proxy leads to the internet, set HTTPS_PROXY.',
      retryable: true,
    };
  if (code !== null && (CERTIFICATE.test(code) || NOT_TLS.test(code)))
    return certificateFields(code, host);
  return {
    code: 'network.broken',
    message: `The connection to ${host} broke${detail}.`,
    hint: 'Try again; if it goes on, check the network connection.',
    retryable: true,
  };
}

/**
 * Explains an error that came in place of an HTTP answer. Throws it on where it is a mistake of this program ({@link isMistake}): an exception is a bug,
 * and no network makes it better.
 * Codes: `network.unreachable`, `network.timeout`, `network.broken`, which are retryable; `network.certificate`, `network.unexpected-answer`,
 * `network.proxy-setting`, `network.proxy-refused`, `network.proxy-no-way`, `network.proxy-sign-in`, `network.stranger-listens` and `network.emulator-ended`, which are not; nor is
 * `network.unreachable` for a port that is refused here.
 */
export function explainNetworkError(
  error: unknown,
  address: string,
  context: ProblemContext,
): Problem {
  if (error instanceof StrangerListensError)
    return problem({
      code: 'network.stranger-listens',
      ...context,
      message: `Trainyard sent nothing to ${error.host}: another user's program (user number ${String(error.uid)}) listens there.`,
      hint: 'Environment variables move the addresses of Google to this machine. Start the emulator as yourself and use the addresses that it prints, or unset STORAGE_EMULATOR_HOST and the TRAINYARD_..._ENDPOINT variables.',
    });
  if (error instanceof EmulatorEndedError)
    return problem({
      code: 'network.emulator-ended',
      ...context,
      message: 'The emulated Google of the sample data is not running, so nothing was asked.',
      hint: 'Start the sample data again, or stop using it to work with the real Google.',
    });
  if (isMistake(error)) throw error;
  return problem({ ...fieldsOf(error, hostOf(address)), ...context });
}
