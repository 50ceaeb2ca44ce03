import type { IncomingMessage } from 'node:http';
import { refuse, type ErrorReply } from './reply.ts';

/** Names that nobody can own on the web (RFC 6761, and ICANN's `internal`), and Google's own, which clients may be led here by. */
const NOBODYS = /(^|\.)(localhost|invalid|internal|googleapis\.com)$/;

const nameOf = (host: string): string | null =>
  URL.canParse(`http://${host}/`) ? new URL(`http://${host}/`).hostname.replace(/\.$/, '') : null;

const isLoopbackName = (name: string): boolean =>
  name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);

/** Whether a page on the web could have this name: it has a dot, is no address, and its like can be owned. */
function couldBeOfThePage(name: string): boolean {
  const isAddress = /^\[|^\d{1,3}(\.\d{1,3}){3}$/.test(name);
  return !isAddress && name.includes('.') && !NOBODYS.test(name);
}

/**
 * The refusal of what a web page sends; null for everybody else. A browser names the page in `Origin`, and where the page made its own name mean this
 * machine, that name in `Host`. Pure.
 */
export function refuseForeignPage(headers: IncomingMessage['headers']): ErrorReply | null {
  const { host, origin } = headers;
  const refused = (what: string): ErrorReply =>
    refuse(403, 'forbidden', `Requests from web pages are refused: ${what}.`);
  if (origin !== undefined) {
    const page = URL.canParse(origin) ? new URL(origin).hostname : '';
    if (!isLoopbackName(page)) return refused('Origin names one');
  }
  if (host === undefined) return null;
  const name = nameOf(host);
  return name === null || couldBeOfThePage(name) ? refused('Host names another machine') : null;
}
