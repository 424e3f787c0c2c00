/**
 * One value of the `uids` table: which of 8,192 consecutive UIDs are present in a mailbox, and which of those the owner has
 * not seen. Two bitmaps, each stored from its first to its last non-zero octet (docs/format/catalog.md, "uids").
 */
import { DecodeError, Reader, Writer } from '../codec/bytes.ts';

export const pageUids = 8_192;
const pageBytes = pageUids / 8;

export class UidPage {
  /** Bit n: UID page × 8192 + n is present. Shared by readers; never changed in place by them. */
  readonly present: Buffer;
  readonly unseen: Buffer;
  /** Octets from here on are zero in both. */
  #end: number;

  constructor(present: Buffer = Buffer.alloc(pageBytes), unseen: Buffer = Buffer.alloc(pageBytes), end: number = 0) {
    this.present = present;
    this.unseen = unseen;
    this.#end = end;
  }

  copy(): UidPage {
    return new UidPage(Buffer.from(this.present), Buffer.from(this.unseen), this.#end);
  }

  has(uid: number): boolean {
    return bit(this.present, uid % pageUids);
  }

  isUnseen(uid: number): boolean {
    return bit(this.unseen, uid % pageUids);
  }

  set(uid: number, unseen: boolean): void {
    this.#end = Math.max(this.#end, ((uid % pageUids) >>> 3) + 1);
    setBit(this.present, uid % pageUids, true);
    setBit(this.unseen, uid % pageUids, unseen);
  }

  remove(uid: number): void {
    setBit(this.present, uid % pageUids, false);
    setBit(this.unseen, uid % pageUids, false);
  }

  get isEmpty(): boolean {
    return this.present.every((octet) => octet === 0);
  }

  /** UIDs present, rising; `page` is UID ÷ 8192. */
  *uids(page: number): Generator<number> {
    for (let at = 0; at < pageBytes; at++) {
      let octet = this.present.readUInt8(at);
      for (let n = 0; octet !== 0; n++, octet >>>= 1) if (octet & 1) yield page * pageUids + at * 8 + n;
    }
  }

  encode(): Buffer {
    const writer = new Writer(64);
    encodeBitmap(writer, this.present, this.#end);
    encodeBitmap(writer, this.unseen, this.#end);
    return writer.finish();
  }

  static decode(octets: Buffer): UidPage {
    const reader = new Reader(octets);
    const present = decodeBitmap(reader);
    const unseen = decodeBitmap(reader);
    reader.end();
    return new UidPage(present.octets, unseen.octets, Math.max(present.end, unseen.end));
  }
}

function bit(bitmap: Buffer, n: number): boolean {
  return ((bitmap.readUInt8(n >>> 3) >>> (n & 7)) & 1) === 1;
}

function setBit(bitmap: Buffer, n: number, on: boolean): void {
  const at = n >>> 3;
  const mask = 1 << (n & 7);
  const octet = bitmap.readUInt8(at);
  bitmap.writeUInt8(on ? octet | mask : octet & ~mask, at);
}

/** Octets from `zeros` on are zero. */
function encodeBitmap(writer: Writer, bitmap: Buffer, zeros: number): void {
  let start = 0;
  let end = zeros;
  while (start < end && bitmap[start] === 0) start++;
  while (end > start && bitmap[end - 1] === 0) end--;
  writer
    .u16(start)
    .u16(end - start)
    .bytes(bitmap.subarray(start, end));
}

function decodeBitmap(reader: Reader): { readonly octets: Buffer; readonly end: number } {
  const start = reader.u16();
  const length = reader.u16();
  if (start + length > pageBytes) throw new DecodeError(`bitmap of ${length} octets at ${start}`);
  const bitmap = Buffer.alloc(pageBytes);
  reader.bytes(length).copy(bitmap, start);
  return { octets: bitmap, end: start + length };
}
