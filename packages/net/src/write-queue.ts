/**
 * What a connection has written and the kernel has not taken. Small pieces of one turn of the event loop go out together:
 * the first write of a turn asks for a call at its end. One group of pieces is with the kernel at a time, so that a slow
 * reader's progress can be seen and what waits stays ours to count.
 *
 * Invariant: `unsentBytes` is the sum of text, pieces and the group under way; a writer that awaits what `write` returns
 * keeps it below `limits.writeAheadBytes` and one piece.
 */
import type { Duplex } from 'node:stream';
import { limits } from './limits.ts';

export interface WriteQueueEvents {
  /** Now, in milliseconds, for `waitingSince`. */
  now(): number;
  /** A group went to the kernel and did not fit at once: the peer must read. */
  blocked(): void;
}

interface Waiter {
  readonly atMost: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class WriteQueue {
  #socket: Duplex;
  readonly #events: WriteQueueEvents;
  #text = '';
  #pieces: Buffer[] = [];
  /** Octets of text and pieces; those of the group under way. */
  #queuedBytes = 0;
  #groupBytes = 0;
  #scheduled = false;
  #waiters: Waiter[] = [];
  #failure: Error | undefined;
  /** Octets that the kernel took. */
  sentBytes = 0;
  /** When the group under way was handed over; undefined when none is. */
  waitingSince: number | undefined;

  constructor(socket: Duplex, events: WriteQueueEvents) {
    this.#socket = socket;
    this.#events = events;
  }

  get unsentBytes(): number {
    return this.#queuedBytes + this.#groupBytes;
  }

  /**
   * Takes octets or UTF-8 text; the buffer belongs to the queue from now on. Returns a promise when too much is unsent: await it
   * before writing more.
   * @throws what `fail` was given
   */
  write(piece: Buffer | string): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    if (piece.length === 0) return undefined;
    if (typeof piece === 'string') {
      this.#text += piece;
    } else {
      this.#sealText();
      this.#pieces.push(piece);
    }
    // Text counts by its UTF-16 length until it is sealed.
    this.#queuedBytes += piece.length;
    if (this.#queuedBytes >= limits.writeGroupBytes) this.#pump();
    else this.#schedule();
    return this.unsentBytes > limits.writeAheadBytes ? this.#below(limits.writeAheadBytes / 2) : undefined;
  }

  /** Resolves when the peer has taken enough for more to be written; undefined when it has already. */
  room(): Promise<void> | undefined {
    return this.unsentBytes > limits.writeAheadBytes ? this.#below(limits.writeAheadBytes / 2) : undefined;
  }

  /** Resolves when the kernel has everything. */
  flush(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#pump();
    return this.unsentBytes === 0 ? Promise.resolve() : this.#below(0);
  }

  /** Drops what is unsent; waiting and later writers get `error`. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#text = '';
    this.#pieces = [];
    this.#queuedBytes = 0;
    this.waitingSince = undefined;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  /** Goes on over another transport; nothing may be unsent. */
  moveTo(socket: Duplex): void {
    this.#socket = socket;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #sealText(): void {
    if (this.#text === '') return;
    const octets = Buffer.from(this.#text, 'utf8');
    this.#queuedBytes += octets.length - this.#text.length;
    this.#text = '';
    this.#pieces.push(octets);
  }

  #below(atMost: number): Promise<void> {
    const room = new Promise<void>((resolve, reject) => {
      this.#waiters.push({ atMost, resolve, reject });
    });
    // Who writes and does not wait learns of a failure at the next call.
    room.catch(() => undefined);
    return room;
  }

  #pump(): void {
    if (this.#groupBytes > 0 || this.#failure !== undefined) return;
    this.#sealText();
    const group = this.#takeGroup();
    const last = group.pop();
    if (last === undefined) return;
    this.waitingSince = this.#events.now();
    const sent = (error?: Error | null): void => this.#sent(error ?? undefined);
    if (group.length === 0) this.#socket.write(last, sent);
    else {
      this.#socket.cork();
      for (const piece of group) this.#socket.write(piece);
      this.#socket.write(last, sent);
      this.#socket.uncork();
    }
    if (this.#socket.writableLength > 0) this.#events.blocked();
  }

  /** Up to `writeGroupBytes` from the front of the queue; counted as under way. */
  #takeGroup(): Buffer[] {
    let bytes = 0;
    let taken = 0;
    let rest: Buffer | undefined;
    const group: Buffer[] = [];
    for (const piece of this.#pieces) {
      const room = limits.writeGroupBytes - bytes;
      // The end of a message stays in one piece: some clients look for it in what one read gave them.
      if (room <= 0 || (piece.length > room && piece.length <= limits.writeWholeBytes)) break;
      taken += 1;
      if (piece.length > room) rest = piece.subarray(room);
      group.push(rest === undefined ? piece : piece.subarray(0, room));
      bytes += Math.min(piece.length, room);
    }
    this.#pieces = taken === this.#pieces.length ? [] : this.#pieces.slice(taken);
    if (rest !== undefined) this.#pieces.unshift(rest);
    this.#groupBytes = bytes;
    this.#queuedBytes -= bytes;
    return group.length > 1 && bytes <= limits.writeCopyBytes ? [Buffer.concat(group, bytes)] : group;
  }

  #sent(error: Error | undefined): void {
    const bytes = this.#groupBytes;
    this.#groupBytes = 0;
    this.waitingSince = undefined;
    // The connection hears of the error from its socket, and then fails this queue.
    if (error !== undefined || this.#failure !== undefined) return;
    this.sentBytes += bytes;
    if (this.#queuedBytes > 0) this.#pump();
    this.#release();
  }

  #release(): void {
    if (this.#waiters.length === 0) return;
    const unsent = this.unsentBytes;
    const released = this.#waiters.filter((waiter) => unsent <= waiter.atMost);
    if (released.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => unsent > waiter.atMost);
    for (const waiter of released) waiter.resolve();
  }
}
