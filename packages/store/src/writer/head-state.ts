/**
 * The head state: the catalog, and above it the write sets of batches that are durable but not yet in it. Decisions read
 * through it; readers of other processes see the catalog alone.
 */
import type { Kv } from '../catalog/kv.ts';
import { stateTable } from '../catalog/schema.ts';
import { RowCache, View, WriteSet } from '../catalog/write-set.ts';
import { invariant } from '../errors.ts';
import type { HighWater } from '../heap/location.ts';

export class HeadState {
  readonly #kv: Kv;
  readonly #cache = new RowCache();
  #layers: WriteSet[] = [];

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  /** A view of now; with `top`, one that can be written. */
  view(top?: WriteSet): View {
    return new View(this.#kv, this.#layers, top, this.#cache);
  }

  highWater(): HighWater {
    const state = this.view().read(stateTable);
    invariant(state !== undefined, 'a catalog has a state row');
    const { sequence, account, mailbox, message, thread, uidValidity } = state;
    return { sequence, account, mailbox, message, thread, uidValidity };
  }

  /** Puts a durable batch's write set on top. */
  push(set: WriteSet): void {
    this.#layers = [...this.#layers, set];
  }

  /** Writes the oldest `count` layers to the catalog in one transaction. */
  async write(count: number): Promise<void> {
    const written = this.#layers.slice(0, count);
    await this.#kv.write(WriteSet.encode(written));
    this.#cache.keep(written);
    this.#layers = this.#layers.slice(count);
  }
}
