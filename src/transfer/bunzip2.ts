/**
 * bzip2, unpacked as it is read: whatever an archive claims, no more is held than one block (at most 900,000 bytes before its runs are
 * written out) and as much of the input as one block can take. Errors of the format are thrown as `DamagedBzip2`.
 */

export class DamagedBzip2 extends Error {}

/** What is handed on at once. Bytes. */
const PIECE = 64 * 1024;
/** More than the longest packed block takes: 900,000 symbols of 20 bits, and its tables. Bytes. */
const MOST_PACKED = 3 * 1024 * 1024;

const BLOCK = 0x314159265359;
const END = 0x177245385090;
const GROUP = 50;
const LONGEST_CODE = 20;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc >>> 0;
});

/** Bits, the highest of each byte first. Reads from what was fed; beyond it the input has ended too early. */
class Bits {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #held = 0;
  #count = 0;

  /** Whole bytes that were not touched yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  feed(parts: readonly Buffer[]): void {
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), ...parts]);
    this.#at = 0;
  }

  /** At most 24. */
  read(count: number): number {
    while (this.#count < count) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new DamagedBzip2('it ends too early');
      this.#at += 1;
      this.#held = (this.#held << 8) | byte;
      this.#count += 8;
    }
    this.#count -= count;
    return (this.#held >>> this.#count) & ((1 << count) - 1);
  }

  read32(): number {
    return ((this.read(16) << 16) | this.read(16)) >>> 0;
  }

  read48(): number {
    return this.read(24) * 2 ** 24 + this.read(24);
  }

  toByte(): void {
    this.#count -= this.#count % 8;
  }
}

/** A code of Huffman: by length, the largest code, what is taken from a code for its place, and the symbols in order. */
interface Code {
  readonly shortest: number;
  readonly limit: Int32Array;
  readonly base: Int32Array;
  readonly symbols: Uint16Array;
}

function readCode(bits: Bits, alphabet: number): Code {
  const lengths = new Uint8Array(alphabet);
  let length = bits.read(5);
  for (let symbol = 0; symbol < alphabet; symbol += 1) {
    for (;;) {
      if (length < 1 || length > LONGEST_CODE) throw new DamagedBzip2('a code is too long');
      if (bits.read(1) === 0) break;
      length += bits.read(1) === 0 ? 1 : -1;
    }
    lengths[symbol] = length;
  }
  const counts = new Int32Array(LONGEST_CODE + 1);
  for (const one of lengths) counts[one] = (counts[one] ?? 0) + 1;
  const symbols = new Uint16Array(alphabet);
  const limit = new Int32Array(LONGEST_CODE + 1).fill(-1);
  const base = new Int32Array(LONGEST_CODE + 1);
  let code = 0;
  let place = 0;
  for (let size = 1; size <= LONGEST_CODE; size += 1) {
    base[size] = code - place;
    for (const [symbol, own] of lengths.entries()) if (own === size) symbols[place++] = symbol;
    code += counts[size] ?? 0;
    if ((counts[size] ?? 0) > 0) limit[size] = code - 1;
    code <<= 1;
  }
  const shortest = counts.findIndex((count) => count > 0);
  return { shortest, limit, base, symbols };
}

function readSymbol(bits: Bits, { shortest, limit, base, symbols }: Code): number {
  let code = bits.read(shortest);
  for (let size = shortest; size <= LONGEST_CODE; size += 1) {
    if (code <= (limit[size] ?? -1)) {
      const symbol = symbols[code - (base[size] ?? 0)];
      if (symbol === undefined) break;
      return symbol;
    }
    code = (code << 1) | bits.read(1);
  }
  throw new DamagedBzip2('a code has no meaning');
}

/** Takes the entry at a place to the front. */
function toFront(list: Uint8Array, place: number): number {
  const value = list[place] ?? 0;
  list.copyWithin(1, 0, place);
  list[0] = value;
  return value;
}

function readUsed(bits: Bits): Uint8Array {
  const groups = bits.read(16);
  const used: number[] = [];
  for (let group = 0; group < 16; group += 1) {
    if ((groups & (0x8000 >> group)) === 0) continue;
    const members = bits.read(16);
    for (let member = 0; member < 16; member += 1)
      if ((members & (0x8000 >> member)) !== 0) used.push(group * 16 + member);
  }
  if (used.length === 0) throw new DamagedBzip2('a block uses no byte');
  return Uint8Array.from(used);
}

function readSelectors(bits: Bits, codes: number): Uint8Array {
  const selectors = new Uint8Array(bits.read(15));
  if (selectors.length === 0) throw new DamagedBzip2('a block has no codes');
  const order = Uint8Array.from({ length: codes }, (_, index) => index);
  for (let index = 0; index < selectors.length; index += 1) {
    let place = 0;
    while (bits.read(1) === 1) place += 1;
    if (place >= codes) throw new DamagedBzip2('a block names a code that it has not');
    selectors[index] = toFront(order, place);
  }
  return selectors;
}

interface Block {
  readonly crc: number;
  /** Place of the next in the upper 24 bits, a byte in the lower. */
  readonly chain: Uint32Array;
  readonly start: number;
}

/** Reads a block and undoes its moves to the front and its transform of Burrows and Wheeler. */
function readBlock(bits: Bits, most: number): Block {
  const crc = bits.read32();
  if (bits.read(1) !== 0) throw new DamagedBzip2('a block of a version before 0.9.5');
  const start = bits.read(24);
  const order = readUsed(bits);
  const codeCount = bits.read(3);
  if (codeCount < 2 || codeCount > 6) throw new DamagedBzip2('a block has too many codes');
  const selectors = readSelectors(bits, codeCount);
  const codes = Array.from({ length: codeCount }, () => readCode(bits, order.length + 2));
  const last = order.length + 1;
  const bytes = new Uint8Array(most);
  const counts = new Uint32Array(256);
  let size = 0;
  let run = 0;
  let weight = 1;
  const put = (byte: number, times: number): void => {
    if (size + times > most) throw new DamagedBzip2('a block is too large');
    bytes.fill(byte, size, size + times);
    counts[byte] = (counts[byte] ?? 0) + times;
    size += times;
  };
  for (let read = 0; ; read += 1) {
    const code = codes[selectors[Math.floor(read / GROUP)] ?? codeCount];
    if (code === undefined) throw new DamagedBzip2('a block goes on without a code');
    const symbol = readSymbol(bits, code);
    if (symbol <= 1) {
      run += weight << symbol;
      weight <<= 1;
      if (run > most) throw new DamagedBzip2('a block is too large');
      continue;
    }
    if (run > 0) put(order[0] ?? 0, run);
    run = 0;
    weight = 1;
    if (symbol === last) break;
    put(toFront(order, symbol - 1), 1);
  }
  if (start >= size) throw new DamagedBzip2('a block begins outside itself');
  const chain = new Uint32Array(size);
  let before = 0;
  const places = counts.map((count) => (before += count) - count);
  for (let at = 0; at < size; at += 1) {
    const byte = bytes[at] ?? 0;
    const place = places[byte] ?? 0;
    places[byte] = place + 1;
    chain[place] = (chain[place] ?? 0) | (at << 8);
    chain[at] = (chain[at] ?? 0) | byte;
  }
  return { crc, chain, start };
}

/** Writes a block out: after four equal bytes comes the number of further ones. Its checksum is compared at the end. */
function* writeOut({ crc: wanted, chain, start }: Block): Generator<Buffer> {
  let piece = Buffer.allocUnsafe(PIECE);
  let filled = 0;
  let crc = 0xffffffff;
  let link = (chain[start] ?? 0) >>> 8;
  let previous = -1;
  let equal = 0;
  for (let left = chain.length; left > 0; left -= 1) {
    const entry = chain[link] ?? 0;
    link = entry >>> 8;
    const byte = entry & 0xff;
    const isCount = equal === 4;
    if (isCount) equal = 0;
    else {
      equal = byte === previous ? equal + 1 : 1;
      previous = byte;
    }
    const value = isCount ? previous : byte;
    for (let times = isCount ? byte : 1; times > 0; times -= 1) {
      crc = (crc << 8) ^ (CRC_TABLE[(crc >>> 24) ^ value] ?? 0);
      piece[filled] = value;
      filled += 1;
      if (filled < PIECE) continue;
      yield piece;
      piece = Buffer.allocUnsafe(PIECE);
      filled = 0;
    }
    // A byte after a count begins anew.
    if (isCount) previous = -1;
  }
  if (~crc >>> 0 !== wanted) throw new DamagedBzip2('a checksum does not agree');
  if (filled > 0) yield piece.subarray(0, filled);
}

/** Unpacks one or more streams of bzip2, one after the other. For `stream.pipeline`. */
export async function* bunzip2(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const input = source[Symbol.asyncIterator]();
  const bits = new Bits();
  let ended = false;
  const fill = async (): Promise<void> => {
    const parts: Buffer[] = [];
    let came = bits.left;
    while (!ended && came < (parts.length === 0 ? MOST_PACKED : 2 * MOST_PACKED)) {
      const next = await input.next();
      if (next.done === true) ended = true;
      else {
        parts.push(next.value);
        came += next.value.length;
      }
    }
    if (parts.length > 0) bits.feed(parts);
  };
  for (let streams = 0; ; streams += 1) {
    await fill();
    if (streams > 0 && bits.left === 0) return;
    const magic = bits.read(24);
    const level = bits.read(8) - 48;
    // What follows a whole stream and is none itself is passed over, as by bzip2.
    if (magic !== 0x425a68 && streams > 0) return;
    if (magic !== 0x425a68 || level < 1 || level > 9) throw new DamagedBzip2('it is no bzip2');
    let all = 0;
    for (;;) {
      await fill();
      const mark = bits.read48();
      if (mark === END) break;
      if (mark !== BLOCK) throw new DamagedBzip2('a block does not begin');
      const block = readBlock(bits, level * 100_000);
      all = (((all << 1) | (all >>> 31)) ^ block.crc) >>> 0;
      yield* writeOut(block);
    }
    if (bits.read32() !== all) throw new DamagedBzip2('a checksum does not agree');
    bits.toByte();
  }
}
