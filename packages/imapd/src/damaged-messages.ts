/** Messages that were found damaged while they were sent: refused at once the next time. Bounded; the oldest is forgotten first. */
import type { MessageId } from '@mstore/store';
import { limits } from './limits.ts';

export class DamagedMessages {
  readonly #messages = new Set<MessageId>();

  has(message: MessageId): boolean {
    return this.#messages.has(message);
  }

  add(message: MessageId): void {
    this.#messages.add(message);
    for (const oldest of this.#messages) {
      if (this.#messages.size <= limits.damagedMessages) break;
      this.#messages.delete(oldest);
    }
  }
}
