import { connect } from 'node:net';

/** What a connection brought, byte by byte, and how it ended. */
export interface RawAnswer {
  /** 0: nothing came. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Everything after the header, as it came. */
  readonly body: Buffer;
  /** `open`: nothing more came, but the connection was not ended within the time. */
  readonly ended: 'closed' | 'reset' | 'open';
  /** Until the first byte of the answer, milliseconds. */
  readonly firstByteMs: number;
  /** Until the end of the connection, or of the time. */
  readonly endMs: number;
}

/** Sends one request over a connection of its own and takes what comes for `waitMs`. */
export function rawRequest(
  base: string,
  method: string,
  path: string,
  options: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: Buffer;
    readonly waitMs?: number;
  } = {},
): Promise<RawAnswer> {
  const { headers = {}, body = Buffer.alloc(0), waitMs = 20_000 } = options;
  const { hostname, port } = new URL(base);
  const head = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    `Content-Length: ${body.length}`,
    'Connection: close',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '',
    '',
  ].join('\r\n');
  return new Promise((resolve) => {
    const started = performance.now();
    const pieces: Buffer[] = [];
    let firstByteMs = Number.NaN;
    let reset = false;
    const socket = connect(Number(port), hostname);
    const finish = (ended: RawAnswer['ended']): void => {
      clearTimeout(late);
      socket.destroy();
      const raw = Buffer.concat(pieces);
      const split = raw.indexOf('\r\n\r\n');
      const [first = '', ...lines] = raw
        .subarray(0, Math.max(0, split))
        .toString('latin1')
        .split('\r\n');
      resolve({
        status: Number(first.split(' ')[1] ?? 0),
        headers: Object.fromEntries(
          lines.map((line) => [
            line.slice(0, line.indexOf(':')).toLowerCase(),
            line.slice(line.indexOf(':') + 1).trim(),
          ]),
        ),
        body: split < 0 ? Buffer.alloc(0) : raw.subarray(split + 4),
        ended,
        firstByteMs,
        endMs: performance.now() - started,
      });
    };
    const late = setTimeout(() => finish('open'), waitMs);
    socket.on('data', (piece: Buffer) => {
      if (pieces.length === 0) firstByteMs = performance.now() - started;
      pieces.push(piece);
    });
    socket.on('error', () => {
      reset = true;
    });
    socket.on('close', () => finish(reset ? 'reset' : 'closed'));
    socket.write(head);
    socket.write(body);
  });
}
