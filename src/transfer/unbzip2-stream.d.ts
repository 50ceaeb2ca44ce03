declare module 'unbzip2-stream' {
  import type { Duplex } from 'node:stream';
  /** A stream that takes bzip2 and gives the bytes. */
  export default function unbzip2(): Duplex;
}
