/**
 * Messages that were found damaged while they were sent, in this process of the daemon or another: they are refused at once from
 * then on. Bounded; the oldest is forgotten first.
 */
import type { Siblings } from '@mstore/net';
import type { MessageId } from '@mstore/store';
import { limits } from './limits.ts';

export class DamagedMessages {
  readonly #siblings: Siblings;
  readonly #messages = new Set<number>();

  constructor(siblings: Siblings) {
    this.#siblings = siblings;
    siblings.hear('damaged', ([message = '']) => this.#keep(Number(message)));
  }

  has(message: MessageId): boolean {
    return this.#messages.has(message);
  }

  add(message: MessageId): void {
    this.#siblings.tell('damaged', [String(message)]);
    this.#keep(message);
  }

  #keep(message: number): void {
    this.#messages.delete(message);
    this.#messages.add(message);
    for (const oldest of this.#messages) {
      if (this.#messages.size <= limits.damagedMessages) break;
      this.#messages.delete(oldest);
    }
  }
}
