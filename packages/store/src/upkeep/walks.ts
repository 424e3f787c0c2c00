/** Walks through the catalog beside the work of the writer: some rows at a time, a pause behind them, a new snapshot each time. */
import type { Catalog, NamedMailbox } from '../catalog/catalog.ts';
import type { DueRow, DueWalk } from '../catalog/due.ts';
import type { AccountId } from '../types.ts';
import type { RetainedWriter } from '../writer/retained-writer.ts';

/** The store as its writer has it. */
export interface RetentionStore extends RetainedWriter {
  catalog(): Catalog;
}

/** Rows of the catalog looked at in one turn. */
export const rowsPerTurn = 250;
/** Mailboxes of one account looked at in one turn. */
const mailboxesPerLook = 200;

export class Walks {
  readonly store: RetentionStore;
  /** Lets others work. @throws when the walk is to end */
  readonly pause: () => Promise<void>;

  constructor(store: RetentionStore, pause: () => Promise<void>) {
    this.store = store;
    this.pause = pause;
  }

  /** Walks rows some at a time, each time in a snapshot of its own. */
  async *each<Row extends DueRow>(walk: DueWalk<Row>): AsyncGenerator<Row> {
    for (let from: Buffer | undefined; ; ) {
      const some: Row[] = [];
      for (const row of walk(this.store.catalog().view, from)) if (some.push(row) === rowsPerTurn) break;
      yield* some;
      from = some.at(-1)?.next;
      if (some.length < rowsPerTurn) return;
      await this.pause();
    }
  }

  /** The account's mailboxes, some at a time. */
  async *mailboxesOf(account: AccountId): AsyncGenerator<NamedMailbox> {
    for (let after: string | undefined; ; ) {
      const some: NamedMailbox[] = [];
      for (const one of this.store.catalog().mailboxes(account, after)) if (some.push(one) === mailboxesPerLook) break;
      yield* some;
      after = some.at(-1)?.row.name;
      if (some.length < mailboxesPerLook) return;
      await this.pause();
    }
  }
}
