/** STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3). */

import { setImmediate as turn } from 'node:timers/promises';
import { limits as storeLimits, type UidSet } from '@mstore/store';
import { RefusedError, refusals } from '../errors.ts';
import { FetchWriter } from '../fetch-writer.ts';
import { limits } from '../limits.ts';
import { type Numbering, namedUids, selectedOf } from '../message-set.ts';
import { type Completion, completed } from '../reply.ts';
import { flagsOf } from '../responses/flags.ts';
import type { Selected } from '../selected.ts';
import type { Session } from '../session.ts';
import type { FetchItem, StoreArguments } from '../wire/fetch-items.ts';
import { entriesOf } from './fetch.ts';

export function store(session: Session, args: StoreArguments): Promise<Completion> {
  return storeBy(session, args, 'sequence');
}

export function uidStore(session: Session, args: StoreArguments): Promise<Completion> {
  return storeBy(session, args, 'uid');
}

async function storeBy(session: Session, args: StoreArguments, numbering: Numbering): Promise<Completion> {
  const selected = selectedOf(session);
  if (selected.isReadOnly) throw new RefusedError(refusals.readOnly);
  const named = flagsOf(args.flags);
  if (named === undefined) throw new RefusedError(refusals.noSuchFlag);
  if (args.unchangedSince !== undefined) session.wantsModSeqs = true;
  const uids = namedUids(selected, args.messages, numbering);
  const { changed, modified, sequence } = await session.services.writer.setFlags({
    mailbox: selected.mailbox,
    uids,
    mode: args.mode,
    ...named,
    ...(args.unchangedSince !== undefined && { unchangedSince: args.unchangedSince }),
  });
  // A larger one is done in several events, whose other sequences nobody told us: then the session hears of its own changes again.
  if (changed.size > 0 && uids.size <= storeLimits.sliceEntries) selected.ownSequences.add(sequence);
  const items = itemsOf(session, args.isSilent, numbering);
  if (items.length > 0) await tellFlags(session, selected, uids, modified, items);
  if (modified.size === 0) return completed('stored');
  const left = numbering === 'uid' ? modified : selected.view.numbersOf(modified);
  return completed('some were changed by others', `MODIFIED ${left}`);
}

/** What is told of each message: its flags unless nobody wants to hear of them, its MODSEQ to who looks at those. */
function itemsOf({ wantsModSeqs }: Session, isSilent: boolean, numbering: Numbering): FetchItem[] {
  const names = [...(isSilent ? [] : (['FLAGS'] as const)), ...(wantsModSeqs ? (['MODSEQ'] as const) : [])];
  if (names.length === 0) return [];
  const all = numbering === 'uid' ? (['UID', ...names] as const) : names;
  return all.map((name) => ({ kind: 'plain', name }));
}

/** The messages as they are now; those that were not touched are left out. */
async function tellFlags(
  session: Session,
  selected: Selected,
  uids: UidSet,
  untouched: UidSet,
  items: readonly FetchItem[],
): Promise<void> {
  const writer = new FetchWriter(session, selected, items);
  const tell = async (messages: readonly (readonly [number, number])[]): Promise<void> => {
    const catalog = session.services.reading.catalog();
    const keywords = catalog.keywords(selected.mailbox);
    const entries = entriesOf(catalog, selected, messages);
    for (const [number, uid] of messages) {
      const entry = untouched.has(uid) ? undefined : entries.get(uid);
      if (entry !== undefined) writer.ofEntry(number, entry, keywords);
    }
    await writer.flush();
  };
  let slice: (readonly [number, number])[] = [];
  for (const message of selected.view.messages(uids)) {
    slice.push(message);
    if (slice.length < limits.sliceMessages) continue;
    await tell(slice);
    slice = [];
    await turn();
  }
  await tell(slice);
}
