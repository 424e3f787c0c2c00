/**
 * What a trampoline sends, read as it comes (docs/protocols/lda-socket.md).
 *
 * Invariant: a message without its end marker is never whole: reading it throws.
 */
import { PeerError } from '@mstore/net';
import { frameType, greeting, headBytes, WireError } from './lda-wire.ts';
import { limits } from './limits.ts';

/** Gives the next octets as they come, undefined at the end; a `Connection` is one. */
export interface OctetSource {
  read(stage: 'command' | 'content'): Promise<Buffer | undefined>;
}

/** Reads what a trampoline sends; `opening` first, then `message` to its end. */
export class WireReader {
  readonly #source: OctetSource;
  #unread: Buffer = Buffer.alloc(0);

  constructor(source: OctetSource) {
    this.#source = source;
  }

  /**
   * The arguments; undefined when the peer came and went, was idle, or we are stopping.
   * @throws {WireError} and what the source throws
   */
  async opening(): Promise<readonly string[] | undefined> {
    const first = await this.#source.read('command');
    if (first === undefined) return undefined;
    this.#unread = first;
    if (!(await this.#exactly(greeting.length)).equals(greeting))
      throw new WireError('another protocol, or a later version');
    const { type, bytes } = await this.#head();
    if (type !== frameType.arguments || bytes > limits.argumentBytes) throw new WireError('no arguments');
    const words = (await this.#exactly(bytes)).toString().split('\0');
    if (words.pop() !== '') throw new WireError('an argument without end');
    return words;
  }

  /** The octets of the message in order; ends only after the end marker. */
  async *message(): AsyncGenerator<Buffer> {
    for (;;) {
      const { type, bytes } = await this.#head();
      if (type === frameType.end && bytes === 0) return;
      if (type !== frameType.data || bytes === 0 || bytes > limits.pieceBytes)
        throw new WireError('no frame of a message');
      for (let left = bytes; left > 0; ) {
        if (this.#unread.length === 0) this.#unread = await this.#next();
        const some = this.#unread.subarray(0, left);
        this.#unread = this.#unread.subarray(some.length);
        left -= some.length;
        yield some;
      }
    }
  }

  async #head(): Promise<{ readonly type: number; readonly bytes: number }> {
    const octets = await this.#exactly(headBytes);
    return { type: octets.readUInt8(0), bytes: octets.readUInt32BE(1) };
  }

  /** Joins what it takes to have so many octets; bounded by the callers. */
  async #exactly(bytes: number): Promise<Buffer> {
    const pieces = [this.#unread];
    let had = this.#unread.length;
    while (had < bytes) {
      const some = await this.#next();
      pieces.push(some);
      had += some.length;
    }
    const all = pieces.length === 1 ? this.#unread : Buffer.concat(pieces, had);
    this.#unread = all.subarray(bytes);
    return all.subarray(0, bytes);
  }

  async #next(): Promise<Buffer> {
    const octets = await this.#source.read('content');
    if (octets === undefined) throw new PeerError('gone', 'mstore-lda went away before the end of its message');
    return octets;
  }
}
