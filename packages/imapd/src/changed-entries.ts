/** The entries of a mailbox that changed after a MODSEQ, in slices of the event loop; what did not change costs next to nothing. */
import { setImmediate as turn } from 'node:timers/promises';
import { type Catalog, type Entry, type MailboxId, modSeqOf, type UidSet } from '@mstore/store';
import { FetchWriter } from './fetch-writer.ts';
import type { Selected } from './selected.ts';
import type { Services } from './services.ts';
import type { Session } from './session.ts';
import { from } from './uid-ranges.ts';
import type { FetchItem } from './wire/fetch-items.ts';

interface Changed {
  readonly entries: readonly Entry[];
  /** The snapshot they are from: for as long as nobody waits. */
  readonly catalog: Catalog;
}

/** Some at a time, by UID; of those with one of `uids` that are above `since`. */
export async function* changedEntries(
  { reading }: Services,
  mailbox: MailboxId,
  uids: UidSet,
  since: number,
): AsyncGenerator<Changed> {
  for (let rest = uids; ; ) {
    const catalog = reading.catalog();
    const { entries, next } = catalog.changedEntries(mailbox, rest, since);
    if (entries.length > 0) yield { entries, catalog };
    if (next === undefined) return;
    rest = from(rest, next);
    await turn();
  }
}

/** What to tell of whose flags changed. */
export interface ToTell {
  readonly uids: UidSet;
  /** What changed after this MODSEQ. */
  readonly since: number;
  /** Changes at these MODSEQs are known already. */
  readonly known: ReadonlySet<number>;
}

/** Tells UID, flags and, to who wants it, MODSEQ of the view's messages that changed. */
export async function tellChangedFlags(
  session: Session,
  selected: Selected,
  { uids, since, known }: ToTell,
): Promise<void> {
  const { mailbox, view } = selected;
  const names = ['UID', 'FLAGS', ...(session.wantsModSeqs ? (['MODSEQ'] as const) : [])] as const;
  const items = names.map((name): FetchItem => ({ kind: 'plain', name }));
  const writer = new FetchWriter(session, selected, items);
  for await (const { entries, catalog } of changedEntries(session.services, mailbox, uids, since)) {
    const keywords = writer.keywords(catalog);
    for (const entry of entries) {
      const number = known.has(modSeqOf(selected, entry)) ? 0 : view.numberOf(entry.uid);
      if (number > 0) writer.ofEntry(number, entry, keywords);
      // A message may have 64 KiB of keywords.
      if (!writer.isFull) continue;
      await writer.flush();
      await turn();
    }
    await writer.flush();
  }
}
