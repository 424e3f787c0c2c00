/** Answers of a store and of its model in a form in which they can be compared. */
import { type DeliveryResult, isStoreError, type Placed } from '@mstore/store';
import type { ModelPlaced } from '../support/store-model.ts';

export type Outcome<Answer> = { readonly answer: Answer } | { readonly refused: string };

/** What clients may have seen of UIDVALIDITY. */
export interface Memory {
  /** Every one given so far. */
  readonly validities: Set<number>;
  /** The highest one by `account name`. */
  readonly seen: Map<string, number>;
}

export function newMemory(): Memory {
  return { validities: new Set(), seen: new Map() };
}

export async function outcome<Answer>(ask: () => Promise<Answer>, isModel = false): Promise<Outcome<Answer>> {
  try {
    return { answer: await ask() };
  } catch (error) {
    if (!isStoreError(error)) throw new Error(isModel ? 'the model failed' : 'the store failed', { cause: error });
    return { refused: error.code };
  }
}

export function code(one: Outcome<unknown>): string {
  return 'refused' in one ? one.refused : 'answered';
}

export function placed({ mailbox, uid, size, sequence }: Placed): ModelPlaced {
  return { mailbox, uid, size, sequence };
}

export function delivered(result: DeliveryResult): ModelPlaced | string {
  return result.ok ? placed(result.placed) : result.code;
}
