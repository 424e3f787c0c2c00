/**
 * FETCH and UID FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4, §3.2.6). Messages are answered in slices, each from a snapshot of its own. One that
 * somebody expunged meanwhile, and that this session was not told to be gone, is answered from what is retained of it.
 *
 * What sets `\Seen` does so before the first octet is sent: nothing that a client was told is taken back. While the store takes no
 * changes, as on a full disk, mail is read all the same, and stays unseen.
 */
import { setImmediate as turn } from 'node:timers/promises';
import {
  type Catalog,
  type Entry,
  type EntryFlags,
  flag,
  isStoreError,
  modSeqOf,
  type StoreErrorCode,
  UidSet,
} from '@mstore/store';
import { changedEntries } from '../changed-entries.ts';
import { damaged, RefusedError, refusals } from '../errors.ts';
import { FetchWriter } from '../fetch-writer.ts';
import { changeFlags } from '../flag-changes.ts';
import { limits } from '../limits.ts';
import { type Numbering, namedUids, selectedOf } from '../message-set.ts';
import { isDamage } from '../message-source.ts';
import { useModSeqs } from '../mod-seqs.ts';
import { type Completion, completed } from '../reply.ts';
import { tellVanished } from '../resync.ts';
import type { Selected } from '../selected.ts';
import type { Session } from '../session.ts';
import { addRange, type RisingRange, upTo } from '../uid-ranges.ts';
import type { FetchArguments, FetchItem } from '../wire/fetch-items.ts';
import type { MessageSet } from '../wire/sequence-set.ts';

const fetched = completed('that is all');

const uidItem = { kind: 'plain', name: 'UID' } as const;
const flagsItem = { kind: 'plain', name: 'FLAGS' } as const;
const modSeqItem = { kind: 'plain', name: 'MODSEQ' } as const;

export function fetch(session: Session, args: FetchArguments): Promise<Completion> {
  return fetchBy(session, args, 'sequence');
}

export function uidFetch(session: Session, args: FetchArguments): Promise<Completion> {
  return fetchBy(session, args, 'uid');
}

async function fetchBy(session: Session, args: FetchArguments, numbering: Numbering): Promise<Completion> {
  if (args.vanished && !session.wantsVanished) throw new RefusedError(refusals.notEnabled);
  if (args.vanished && numbering === 'sequence') throw new RefusedError(refusals.vanishedByUid);
  const selected = selectedOf(session);
  const uids = namedUids(selected, args.messages, numbering);
  const wanted = itemsOf(args, numbering);
  if (wanted.includes(modSeqItem)) useModSeqs(session);
  if (args.vanished)
    await tellVanished(session, selected, vanishableUids(selected, args.messages), args.changedSince ?? 0);
  const setsSeen = !selected.isReadOnly && args.items.some((item) => 'isPeek' in item && !item.isPeek);
  const fetching = new Fetching(session, selected, wanted, args.changedSince ?? -1);
  try {
    if (args.changedSince === undefined) await fetching.messages(uids, setsSeen);
    else {
      for await (const { entries } of changedEntries(session.services, selected.mailbox, uids, args.changedSince)) {
        await fetching.messages(UidSet.of(entries.map(({ uid }) => uid)), setsSeen);
      }
    }
  } finally {
    // Also where it failed: a line may be with the client in part, and flags that were set are told nowhere else.
    await fetching.finish();
  }
  if (fetching.hasUnknownEncoding) throw new RefusedError(refusals.unknownEncoding);
  if (fetching.damagedUid !== undefined) {
    // It may have become \Seen without a line that says so: what was set is told as what others change.
    selected.ownSequences.clear();
    throw new RefusedError(damaged(fetching.damagedUid));
  }
  if (fetching.missing > 0 && numbering === 'sequence') throw new RefusedError(refusals.expunged);
  return fetched;
}

function itemsOf({ items, changedSince }: FetchArguments, numbering: Numbering): FetchItem[] {
  const has = (name: string): boolean => items.some((item) => item.kind === 'plain' && item.name === name);
  // The objects are compared later on.
  const all = items.map((item) => (item.kind === 'plain' && item.name === 'MODSEQ' ? modSeqItem : item));
  if (numbering === 'uid' && !has('UID')) all.unshift(uidItem);
  if (changedSince !== undefined && !has('MODSEQ')) all.push(modSeqItem);
  return all;
}

const takesNoChanges: ReadonlySet<StoreErrorCode> = new Set(['diskFull', 'readOnly', 'ioError', 'noWriter']);

class Fetching {
  /** Messages that are gone for good. */
  missing = 0;
  damagedUid: number | undefined;
  readonly #session: Session;
  readonly #selected: Selected;
  readonly #writer: FetchWriter;
  readonly #changedSince: number;
  readonly #tells: ReadonlySet<string>;
  readonly #isOfFlags: boolean;
  /** Messages that were read from the heap. */
  #read = 0;
  #flushed = 0;
  #isSeenRefused = false;

  constructor(session: Session, selected: Selected, items: readonly FetchItem[], changedSince: number) {
    this.#session = session;
    this.#selected = selected;
    this.#writer = new FetchWriter(session, selected, items);
    this.#changedSince = changedSince;
    this.#isOfFlags = changedSince === -1 && this.#writer.isOfFlags;
    this.#tells = new Set(items.map((item) => (item.kind === 'plain' ? item.name : '')));
  }

  /** A part could not be shown without its transfer encoding. */
  get hasUnknownEncoding(): boolean {
    return this.#writer.hasUnknownEncoding;
  }

  finish(): Promise<void> {
    return this.#writer.flush();
  }

  /** Answers about those messages of the view that have one of these UIDs. */
  async messages(uids: UidSet, setsSeen: boolean): Promise<void> {
    let slice: (readonly [number, number])[] = [];
    const sliceMax = setsSeen ? limits.seenTogether : this.#sliceMax(false);
    for (const message of this.#selected.view.messages(uids)) {
      slice.push(message);
      if (slice.length < sliceMax) continue;
      await this.#slice(slice, setsSeen);
      slice = [];
      await turn();
    }
    await this.#slice(slice, setsSeen);
  }

  async #slice(messages: readonly (readonly [number, number])[], setsSeen: boolean): Promise<void> {
    const seen = setsSeen ? await this.#setSeen(uidsOf(messages)) : UidSet.empty;
    const sliceMax = this.#sliceMax(setsSeen);
    for (let from = 0; from < messages.length; from += sliceMax) {
      if (from > 0) await turn();
      await this.#answer(messages.slice(from, from + sliceMax), seen);
    }
  }

  /** Sets `\Seen` where the store takes changes; the UIDs that have it new. */
  async #setSeen(uids: UidSet): Promise<UidSet> {
    if (this.#isSeenRefused) return UidSet.empty;
    try {
      return await setSeen(this.#session, this.#selected, uids);
    } catch (error) {
      if (!isStoreError(error) || !takesNoChanges.has(error.code)) throw error;
      this.#isSeenRefused = true;
      return UidSet.empty;
    }
  }

  #sliceMax(setsSeen: boolean): number {
    return this.#writer.isListing && !setsSeen ? limits.sliceListed : limits.sliceMessages;
  }

  /** Rows of many fields take longer than what is answered from them tells. */
  async #rest(): Promise<void> {
    this.#writer.rowBytes = 0;
    await turn();
  }

  async #flush(): Promise<void> {
    await this.#writer.flush();
    this.#flushed += 1;
    if (this.#flushed % limits.turnAnswers === 0) await turn();
  }

  /** What a message is told besides that was seen just now: what nobody asked about (RFC 7162 §3.1, §3.2.4). */
  #itemsOfSeen(): readonly FetchItem[] {
    const { wantsModSeqs, wantsVanished } = this.#session;
    const wanted = [flagsItem, ...(wantsModSeqs ? [modSeqItem] : []), ...(wantsVanished ? [uidItem] : [])];
    return wanted.filter(({ name }) => !this.#tells.has(name));
  }

  /** Answers what needs nothing but flags. False, and nothing is written, when not all of them are there. */
  async #answerFlags(messages: readonly (readonly [number, number])[]): Promise<boolean> {
    const { mailbox } = this.#selected;
    const catalog = this.#session.services.reading.catalog();
    const keywords = this.#writer.keywords(catalog);
    const found = catalog.flags(mailbox, uidsOf(messages));
    if (found.length !== messages.length) return false;
    for (const [index, entry] of found.entries()) {
      this.#writer.ofFlags(messages[index]?.[0] ?? 0, entry, keywords);
      if (this.#writer.isFull) await this.#flush();
    }
    return true;
  }

  async #answer(messages: readonly (readonly [number, number])[], seen: UidSet): Promise<void> {
    if (this.#isOfFlags && (await this.#answerFlags(messages))) return;
    const { reading } = this.#session.services;
    const { mailbox } = this.#selected;
    const catalog = reading.catalog();
    const keywords = this.#writer.keywords(catalog);
    const entries = entriesInStep(catalog, this.#selected, messages);
    // A snapshot is the loop's only until it waits for somebody.
    let now: Catalog | undefined = catalog;
    const ofSeen = this.#itemsOfSeen();
    for (const [index, [number, uid]] of messages.entries()) {
      const entry = entries[index];
      if (entry === undefined) this.missing += 1;
      if (entry === undefined || modSeqOf(this.#selected, entry) <= this.#changedSince) continue;
      const more = seen.has(uid) ? ofSeen : [];
      try {
        now ??= reading.catalog();
        const written = this.#writer.message(now, number, entry, keywords, more);
        const hasLookedLong = this.#writer.rowBytes >= limits.turnRowBytes;
        if (written === undefined && !this.#writer.isFull && !hasLookedLong) continue;
        now = undefined;
        await written;
        if (this.#writer.isFull) await this.#flush();
        if (hasLookedLong) await this.#rest();
        // Reading from the page cache and a client that takes everything at once wait for nobody.
        this.#read += written === undefined ? 0 : 1;
        if (written !== undefined && (entry.size > limits.largeMessageBytes || this.#read % limits.turnReads === 0)) {
          await turn();
        }
      } catch (error) {
        const { services, entry: own } = this.#session;
        if (!isDamage(error, services, mailbox, uid)) {
          this.missing += 1;
          continue;
        }
        services.log.error('message damaged', { session: own.id, uid }, error);
        this.damagedUid ??= uid;
      }
    }
  }
}

/** The UIDs that VANISHED is asked about: `*` is the largest that ever was, for the last messages may be what went. */
function vanishableUids(selected: Selected, set: MessageSet): UidSet {
  if (set === 'saved') return selected.saved;
  const largest = selected.uidNext - 1;
  return upTo(set.resolve(largest), largest);
}

/** The entry of each message; of one expunged meanwhile what is retained. */
function entriesInStep(
  catalog: Catalog,
  selected: Selected,
  messages: readonly (readonly [number, number])[],
): readonly (Entry | undefined)[] {
  const entries: Entry[] = [];
  for (const entry of catalog.entries(selected.mailbox, uidsOf(messages))) entries.push(entry);
  if (entries.length === messages.length) return entries;
  const known = entriesOf(catalog, selected, messages);
  return messages.map(([, uid]) => known.get(uid));
}

/** Of messages that rise. */
export function uidsOf(messages: readonly (readonly [number, number])[]): UidSet {
  const ranges: RisingRange[] = [];
  for (const [, uid] of messages) addRange(ranges, uid, uid);
  return UidSet.ofRising(ranges);
}

export function byUid<Known extends EntryFlags>(found: Iterable<Known>): Map<number, Known> {
  const known = new Map<number, Known>();
  for (const entry of found) known.set(entry.uid, entry);
  return known;
}

/** The entries by UID; those expunged meanwhile from what is retained. */
export function entriesOf(
  catalog: Catalog,
  selected: Selected,
  messages: readonly (readonly [number, number])[],
): ReadonlyMap<number, Entry> {
  const { mailbox } = selected;
  const uids = messages.map(([, uid]) => uid);
  const entries = byUid(catalog.entries(mailbox, UidSet.of(uids)));
  if (entries.size === uids.length) return entries;
  const gone = UidSet.of(uids.filter((uid) => !entries.has(uid)));
  for (const { entry } of catalog.retained(mailbox, gone)) entries.set(entry.uid, entry);
  return entries;
}

/** Sets `\Seen` where it is not set; the UIDs that have it new. */
async function setSeen(session: Session, selected: Selected, uids: UidSet): Promise<UidSet> {
  const unseen: number[] = [];
  for (const entry of session.services.reading.catalog().entries(selected.mailbox, uids)) {
    if ((entry.flags & flag.seen) === 0) unseen.push(entry.uid);
  }
  if (unseen.length === 0) return UidSet.empty;
  const wanted = { mode: 'add', flags: flag.seen, keywords: [], unchangedSince: undefined } as const;
  return (await changeFlags(session, selected, UidSet.of(unseen), wanted)).changed;
}
