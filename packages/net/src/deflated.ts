/**
 * A transport of raw DEFLATE (RFC 1951, RFC 4978) above another: for `Connection.upgrade`. What a turn of the event loop writes goes out
 * together, compressed and flushed, so that the peer can read all of it; the work is done beside the event loop.
 *
 * Invariants: one group of pieces is compressed at a time, so what waits is bounded by what the connection hands over at once
 * (`limits.writeGroupBytes`); received octets are inflated as they are asked for, `limits.inflateBytes` at a time, however much they become.
 */
import { Duplex } from 'node:stream';
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw } from 'node:zlib';
import { limits } from './limits.ts';

type Done = (error?: Error | null) => void;

/** The transport above; `unread` are octets that were received and belong to it. */
export function deflated(transport: Duplex, unread: Buffer): Duplex {
  return new Deflated(transport, unread);
}

class Deflated extends Duplex {
  readonly #below: Duplex;
  readonly #deflate: DeflateRaw;
  readonly #inflate: InflateRaw;
  /** What the group under way became so far. */
  #compressed: Buffer[] = [];

  constructor(below: Duplex, unread: Buffer) {
    super({ allowHalfOpen: true, readableHighWaterMark: limits.inflateBytes });
    this.#below = below;
    this.#deflate = createDeflateRaw({
      level: limits.deflateLevel,
      windowBits: limits.deflateWindowBits,
      memLevel: limits.deflateMemLevel,
      flush: constants.Z_SYNC_FLUSH,
    });
    // A peer that goes away ends without the last block.
    this.#inflate = createInflateRaw({ chunkSize: limits.inflateBytes, finishFlush: constants.Z_SYNC_FLUSH });
    this.#deflate.on('data', (octets: Buffer) => this.#compressed.push(octets));
    this.#deflate.on('error', (error) => this.destroy(error));
    this.#inflate.on('data', (octets: Buffer) => {
      if (!this.push(octets)) this.#inflate.pause();
    });
    this.#inflate.on('end', () => this.push(null));
    this.#inflate.on('error', (error) => this.destroy(error));
    this.#inflate.on('drain', () => below.resume());
    this.#take(unread);
    below.on('data', (octets: Buffer) => this.#take(octets));
    below.on('end', () => this.#inflate.end());
    below.resume();
  }

  override _read(): void {
    this.#inflate.resume();
  }

  override _write(octets: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send(octets, done);
  }

  override _writev(pieces: { readonly chunk: Buffer }[], done: Done): void {
    this.#send(Buffer.concat(pieces.map(({ chunk }) => chunk)), done);
  }

  override _final(done: Done): void {
    this.#deflate.once('end', () => this.#below.end(Buffer.concat(this.#compressed.splice(0)), done));
    this.#deflate.end();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#deflate.destroy();
    this.#inflate.destroy();
    done(error);
  }

  #take(octets: Buffer): void {
    if (octets.length === 0 || this.#inflate.destroyed || this.#inflate.writableEnded) return;
    if (!this.#inflate.write(octets)) this.#below.pause();
  }

  #send(octets: Buffer, done: Done): void {
    this.#deflate.write(octets, (error) => {
      if (error) {
        done(error);
        return;
      }
      // What the stream still holds comes as `data`.
      while (this.#deflate.read() !== null);
      this.#below.write(Buffer.concat(this.#compressed.splice(0)), done);
    });
  }
}
