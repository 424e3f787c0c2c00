/** STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3). */

import { setImmediate as turn } from 'node:timers/promises';
import type { Entry, EntryFlags, UidSet } from '@mstore/store';
import { partlyExpunged, RefusedError, refusals } from '../errors.ts';
import { FetchWriter } from '../fetch-writer.ts';
import { changeFlags } from '../flag-changes.ts';
import { limits } from '../limits.ts';
import { type Numbering, namedUids, selectedOf } from '../message-set.ts';
import { useModSeqs } from '../mod-seqs.ts';
import { type Completion, completed } from '../reply.ts';
import { flagsOf } from '../responses/flags.ts';
import type { Selected } from '../selected.ts';
import type { Session } from '../session.ts';
import type { FetchItem, StoreArguments } from '../wire/fetch-items.ts';
import { byUid, uidsOf } from './fetch.ts';

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
  const uids = namedUids(selected, args.messages, numbering);
  const { mode, unchangedSince, isSilent } = args;
  const isConditional = unchangedSince !== undefined;
  if (isConditional) useModSeqs(session);
  const { modified, surprising } = await changeFlags(session, selected, uids, { mode, ...named, unchangedSince });
  const answer = new Answer(session, selected, { untouched: modified, surprising }, { isSilent, numbering });
  await answer.tell(uids);
  const left = numbering === 'uid' ? modified : selected.view.numbersOf(modified);
  if (isConditional && numbering === 'sequence' && answer.gone > 0) throw new RefusedError(partlyExpunged(`${left}`));
  return modified.size === 0 ? completed('stored') : completed('some were changed by others', `MODIFIED ${left}`);
}

/**
 * What is told of each message: its flags unless nobody wants to hear of them, its MODSEQ to who looks at those. Flags that others
 * had changed are told in any case: only so the client knows them.
 */
class Answer {
  /** Messages that others expunged. */
  gone = 0;
  readonly #session: Session;
  readonly #selected: Selected;
  readonly #untouched: UidSet;
  readonly #surprising: UidSet;
  readonly #items: readonly FetchItem[];
  readonly #itemsOfSurprising: readonly FetchItem[];

  constructor(
    session: Session,
    selected: Selected,
    { untouched, surprising }: { readonly untouched: UidSet; readonly surprising: UidSet },
    how: { readonly isSilent: boolean; readonly numbering: Numbering },
  ) {
    this.#session = session;
    this.#selected = selected;
    this.#untouched = untouched;
    this.#surprising = surprising;
    this.#items = itemsOf(session, how.isSilent, how.numbering);
    this.#itemsOfSurprising = itemsOf(session, false, how.numbering);
  }

  /** Tells of the messages as they are now; of those that were not touched nothing. */
  async tell(uids: UidSet): Promise<void> {
    const writer = new FetchWriter(this.#session, this.#selected, this.#items);
    let slice: (readonly [number, number])[] = [];
    for (const message of this.#selected.view.messages(uids)) {
      slice.push(message);
      if (slice.length < limits.sliceListed) continue;
      await this.#slice(writer, slice);
      slice = [];
      await turn();
    }
    await this.#slice(writer, slice);
  }

  async #slice(writer: FetchWriter, messages: readonly (readonly [number, number])[]): Promise<void> {
    const { services, wantsModSeqs } = this.#session;
    const { mailbox } = this.#selected;
    const catalog = services.reading.catalog();
    const keywords = writer.keywords(catalog);
    const uids = uidsOf(messages);
    if (wantsModSeqs) {
      const entries = byUid(catalog.entries(mailbox, uids));
      const tell = (number: number, entry: Entry, items: readonly FetchItem[]): void =>
        writer.ofEntry(number, entry, keywords, items);
      await this.#lines(writer, messages, entries, tell);
    } else {
      const flags = byUid(catalog.flags(mailbox, uids));
      const tell = (number: number, entry: EntryFlags, items: readonly FetchItem[]): void =>
        writer.ofFlags(number, entry, keywords, items);
      await this.#lines(writer, messages, flags, tell);
    }
    await writer.flush();
  }

  async #lines<Known extends EntryFlags>(
    writer: FetchWriter,
    messages: readonly (readonly [number, number])[],
    known: ReadonlyMap<number, Known>,
    tell: (number: number, entry: Known, items: readonly FetchItem[]) => void,
  ): Promise<void> {
    for (const [number, uid] of messages) {
      const entry = known.get(uid);
      if (entry === undefined) this.gone += 1;
      if (entry === undefined || this.#untouched.has(uid)) continue;
      const items = this.#surprising.has(uid) ? this.#itemsOfSurprising : this.#items;
      if (items.length > 0) tell(number, entry, items);
      if (writer.isFull) await writer.flush();
    }
  }
}

function itemsOf({ wantsModSeqs, wantsVanished }: Session, isSilent: boolean, numbering: Numbering): FetchItem[] {
  const names = [...(isSilent ? [] : (['FLAGS'] as const)), ...(wantsModSeqs ? (['MODSEQ'] as const) : [])];
  if (names.length === 0) return [];
  const all = numbering === 'uid' || wantsVanished ? (['UID', ...names] as const) : names;
  return all.map((name) => ({ kind: 'plain', name }));
}
