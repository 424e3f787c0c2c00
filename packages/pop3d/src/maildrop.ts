/**
 * A maildrop as one session sees it (RFC 1939 §5): the messages there were at the login, numbered from 1 without gaps, and which of
 * them this session has marked as deleted. The numbers stay as they are whatever happens to the mailbox meanwhile, and
 * nobody else learns of the marks before QUIT.
 */
import { UidSet } from '@mstore/store';
import type { Listing } from './listing.ts';

export class Maildrop {
  readonly listing: Listing;
  /** A mark for each message; made with the first mark. */
  #marks: Uint8Array | undefined;
  #marked = 0;
  #markedBytes = 0;

  constructor(listing: Listing) {
    this.listing = listing;
  }

  /** Messages that are not marked. */
  get count(): number {
    return this.listing.count - this.#marked;
  }

  /** Octets of the messages that are not marked. */
  get bytes(): number {
    return this.listing.bytes - this.#markedBytes;
  }

  /** Messages that are marked. */
  get marked(): number {
    return this.#marked;
  }

  /** Whether the number names a message, marked or not. */
  has(number: number): boolean {
    return number >= 1 && number <= this.listing.count;
  }

  isMarked(number: number): boolean {
    return this.#marks?.[number - 1] === 1;
  }

  /** Marks a message that is there and not marked. */
  mark(number: number): void {
    this.#marks ??= new Uint8Array(this.listing.count);
    this.#marks[number - 1] = 1;
    this.#marked += 1;
    this.#markedBytes += this.listing.size(number - 1);
  }

  unmarkAll(): void {
    this.#marks = undefined;
    this.#marked = 0;
    this.#markedBytes = 0;
  }

  /** The UIDs of the messages that are marked. */
  markedUids(): UidSet {
    const uids: number[] = [];
    this.#marks?.forEach((mark, index) => {
      if (mark === 1) uids.push(this.listing.uid(index));
    });
    return UidSet.of(uids);
  }
}
