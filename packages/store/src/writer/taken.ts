/** Messages that were taken in and not placed yet. */
import { StoreError } from '../errors.ts';
import type { PreparedMessage } from '../mail/prepared.ts';
import type { TakenMessage } from './mail-writer.ts';

/** A taken message of this writer. */
export class LocalMessage implements TakenMessage {
  readonly prepared: PreparedMessage;

  constructor(prepared: PreparedMessage) {
    this.prepared = prepared;
  }

  get size(): number {
    return this.prepared.size;
  }
}

/** @throws {StoreError} badIntent for one that another writer took */
export function preparedOf(message: TakenMessage): PreparedMessage {
  if (!(message instanceof LocalMessage)) throw new StoreError('badIntent', 'a message taken by another writer');
  return message.prepared;
}
