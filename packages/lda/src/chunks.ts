/**
 * A message that comes in several BDAT commands (RFC 3030 §2), for a store that takes it in one piece or as one flow. Owns the
 * octets until they are taken: a small message is held and taken whole, a larger one flows from its first large chunk on.
 */
import { Gathered } from '@mstore/net';
import type { MailWriter, TakenMessage } from '@mstore/store';
import { limits } from './limits.ts';

/** Octets on their way to a reader, one piece at a time: who pushes waits until the piece was used. */
class Flow {
  #piece: Buffer | undefined;
  #used: (() => void) | undefined;
  #awaited: (() => void) | undefined;
  #end: 'open' | 'whole' | 'abandoned' | 'unread' = 'open';

  push(piece: Buffer): Promise<void> | undefined {
    if (this.#end !== 'open') return undefined;
    this.#piece = piece;
    this.#awaited?.();
    return new Promise((resolve) => {
      this.#used = resolve;
    });
  }

  finish(end: 'whole' | 'abandoned'): void {
    if (this.#end === 'open') this.#end = end;
    this.#awaited?.();
  }

  /** Nobody reads, or reads on. */
  unread(): void {
    if (this.#end === 'open') this.#end = 'unread';
    this.#used?.();
  }

  async *read(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (;;) {
        if (this.#piece === undefined && this.#end === 'open') {
          await new Promise<void>((resolve) => {
            this.#awaited = resolve;
          });
          continue;
        }
        if (this.#end === 'abandoned') throw new Error('the message was abandoned');
        const piece = this.#piece;
        if (piece === undefined) return;
        this.#piece = undefined;
        yield piece;
        this.#used?.();
      }
    } finally {
      this.unread();
    }
  }
}

/** A message in the making. */
export class ChunkedMessage {
  readonly #writer: Pick<MailWriter, 'take'>;
  readonly #held = new Gathered();
  #flow: Flow | undefined;
  #taken: Promise<TakenMessage> | undefined;
  #bytes = 0;

  constructor(writer: Pick<MailWriter, 'take'>) {
    this.#writer = writer;
  }

  /** Octets so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes octets of a chunk; await the result before the next. A failure shows at the end. */
  push(octets: Buffer): Promise<void> | undefined {
    this.#bytes += octets.length;
    if (this.#flow !== undefined) return this.#flow.push(octets);
    this.#held.push(octets);
    if (this.#held.bytes <= limits.heldBytes) return undefined;
    const flow = new Flow();
    this.#flow = flow;
    this.#taken = this.#writer.take(flow.read());
    // A writer that refuses at once never begins to read: the flow cannot know.
    this.#taken.catch(() => flow.unread());
    return flow.push(this.#held.whole());
  }

  /** The message, after its last chunk. @throws {StoreError} as `MailWriter.take` */
  end(): Promise<TakenMessage> {
    this.#flow?.finish('whole');
    return this.#taken ?? this.#writer.take(this.#held.whole());
  }

  /** The message will not be finished. */
  abandon(): void {
    this.#flow?.finish('abandoned');
  }
}
