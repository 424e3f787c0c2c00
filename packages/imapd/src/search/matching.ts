/**
 * Which messages of a session's view satisfy search keys (RFC 9051 §6.4.4), found page by page of the view, and each page from the
 * cheapest key to the dearest: bitmaps for all its messages at once; the index for those that they leave open; their rows
 * for what is still open; and the heap for the rest, message by message. Nothing is looked at for a message that is decided.
 *
 * Each turn of the event loop reads a snapshot of its own. What somebody expunged meanwhile, and this session was not told to be
 * gone, is judged by what is retained of it; where nothing is, it belongs to no key but those of the view itself. A message
 * that is damaged is not found by what would have to be read from it.
 */
import { type Catalog, chunkSlots, type Entry, flag, pageUids, UidSet } from '@mstore/store';
import { limits } from '../limits.ts';
import { isDamage, MessageSource } from '../message-source.ts';
import type { Selected } from '../selected.ts';
import type { Session } from '../session.ts';
import { addRange, type RisingRange } from '../uid-ranges.ts';
import type { Page } from '../view.ts';
import type { SearchKey } from '../wire/search-keys.ts';
import { type ContentSearch, isInHeader, readingSearch } from './content-search.ts';
import { type EntryFacts, type Leaf, leavesOf, reduced, type Tree, treeOf } from './key-tree.ts';
import { Pace } from './pace.ts';
import { type Bits, bitsSet, bitsWithout, clearBit, hasBit, PageBounds, setBit } from './page-bits.ts';
import { RowKeys } from './row-keys.ts';

/** The UIDs of the messages that satisfy all keys. @throws {RefusedError} searchTooLong, stopping; {PeerError} gone */
export async function matching(session: Session, selected: Selected, keys: readonly SearchKey[]): Promise<UidSet> {
  const nowSeconds = Math.floor(session.services.clock.now() / 1_000);
  const tree = treeOf(selected, keys, nowSeconds);
  if (tree === false) return UidSet.empty;
  const search = new Search(session, selected, tree, readingSearch);
  for (const page of selected.view.pages) await search.page(page);
  return search.found();
}

/** A message that the index and what is at hand of its row leave open. */
interface Open {
  readonly entry: Entry;
  readonly tree: Tree;
}

class Search {
  readonly #session: Session;
  readonly #selected: Selected;
  readonly #tree: Tree;
  readonly #content: ContentSearch;
  readonly #rowKeys: RowKeys;
  readonly #pace: Pace;
  /** Work for each entry, and for each page. */
  readonly #entryWork: number;
  readonly #pageWork: number;
  readonly #ranges: RisingRange[] = [];
  #hasReportedDamage = false;

  constructor(session: Session, selected: Selected, tree: Tree, content: ContentSearch) {
    this.#session = session;
    this.#selected = selected;
    this.#tree = tree;
    this.#content = content;
    this.#rowKeys = new RowKeys(tree);
    this.#pace = new Pace(session);
    const keyCount = [...leavesOf(tree)].length;
    this.#entryWork = limits.searchEntryWork * (1 + keyCount / 4);
    this.#pageWork = limits.searchEntryWork * (chunkSlots + keyCount);
  }

  found(): UidSet {
    return UidSet.ofRising(this.#ranges);
  }

  async page(page: Page): Promise<void> {
    const stored = this.#session.services.reading.catalog().uidPage(this.#selected.mailbox, page.number);
    const { sure, possible } = new PageBounds(page, stored).of(this.#tree);
    const found = sure.slice();
    const open = bitsWithout(possible, sure);
    if (open.some((word) => word !== 0)) await this.#decide(page.number, open, found);
    this.#add(page.number, found);
    await this.#pace.worked(this.#pageWork);
  }

  /** Adds to `found` what belongs to it of what is open. */
  async #decide(pageNumber: number, open: Bits, found: Bits): Promise<void> {
    const left: Open[] = [];
    const start = pageNumber * pageUids;
    const judge = (catalog: Catalog, entry: Entry, facts: EntryFacts): boolean => {
      const bit = entry.uid - start;
      if (!hasBit(open, bit)) return false;
      clearBit(open, bit);
      const tree = this.#byCatalog(catalog, entry, facts);
      if (tree === true) setBit(found, bit);
      else if (tree !== false) left.push({ entry, tree });
      return this.#pace.isDue(this.#entryWork);
    };
    await this.#eachEntry(open, start, judge);
    for (const { entry, tree } of left) if (await this.#byHeap(entry, tree)) setBit(found, entry.uid - start);
  }

  /** Shows entries of what is open, and behind them what is retained, until `judge` asks for a turn, and then the others. */
  async #eachEntry(
    open: Bits,
    start: number,
    judge: (catalog: Catalog, entry: Entry, facts: EntryFacts) => boolean,
  ): Promise<void> {
    const { mailbox } = this.#selected;
    const slice = (from: number, retained: boolean): number => {
      const catalog = this.#session.services.reading.catalog();
      const facts = this.#facts(catalog);
      if (retained)
        for (const { entry } of catalog.retained(mailbox, uidsOpen(open, start, from))) {
          if (judge(catalog, entry, facts)) return entry.uid + 1;
        }
      else
        for (const entry of catalog.entries(mailbox, chunksOpen(open, start, from))) {
          if (judge(catalog, entry, facts)) return entry.uid + 1;
        }
      return 0;
    };
    for (const retained of [false, true]) {
      for (let next = slice(start, retained); next > 0; next = slice(next, retained)) await this.#pace.turn();
    }
  }

  #facts(catalog: Catalog): EntryFacts {
    const { mailbox } = this.#selected;
    const keywords = new Map<string, number[]>();
    for (const [number, word] of catalog.keywords(mailbox).entries()) {
      const name = word.toLowerCase();
      keywords.set(name, [...(keywords.get(name) ?? []), number]);
    }
    return { keywords, modSeqFloor: catalog.mailbox(mailbox)?.modSeqFloor ?? 0 };
  }

  /** The tree less what the entry and a row that is soon looked at decide. */
  #byCatalog(catalog: Catalog, entry: Entry, facts: EntryFacts): Tree {
    const tree = reduced(this.#tree, (leaf) => this.#byEntry(leaf, entry, facts));
    if (typeof tree === 'boolean' || this.#rowKeys.isNone) return tree;
    const row = catalog.glance(entry.message);
    if (row?.derived !== true) return tree;
    const { listedFields } = row;
    if (this.#rowKeys.work(listedFields) > limits.searchRowAtOnce) return tree;
    return this.#rowKeys.decide(tree, listedFields, (work) => this.#pace.isDue(work));
  }

  #byEntry(leaf: Leaf, entry: Entry, facts: EntryFacts): boolean | undefined {
    if (leaf.kind === 'entry') return leaf.holds(entry, facts);
    if (leaf.kind === 'uids') return leaf.uids.has(entry.uid);
    return leaf.kind === 'unseen' ? (entry.flags & flag.seen) === 0 : undefined;
  }

  /** Whether a message belongs to what only its row or itself decides. */
  async #byHeap(entry: Entry, tree: Tree): Promise<boolean> {
    try {
      const { services } = this.#session;
      const left = await this.#byLargeRow(entry, tree);
      if (typeof left === 'boolean') return left;
      const source = new MessageSource(services, services.reading.catalog(), this.#selected.mailbox, entry);
      await this.#pace.worked(limits.searchOpenWork);
      return await this.#content.isFound(await source.open(), left, this.#pace);
    } catch (error) {
      const { services } = this.#session;
      if (isDamage(error, services, this.#selected.mailbox, entry.uid)) this.#reportDamage(entry, error);
      return false;
    }
  }

  /** What a row decides that is too much to be looked at at one stroke. */
  async #byLargeRow(entry: Entry, tree: Tree): Promise<Tree> {
    let left = tree;
    const row = this.#rowKeys.isNone ? undefined : this.#session.services.reading.catalog().message(entry.message);
    if (row?.derived !== true) return left;
    const leaves = new Set(leavesOf(tree));
    for (const leaf of leaves) {
      if (leaf.kind !== 'sent' && (leaf.kind !== 'field' || !leaf.isListed)) continue;
      const isFound = await isInHeader(row.listedFields, leaf, this.#pace);
      left = reduced(left, (other) => (other === leaf ? isFound : undefined));
      await this.#pace.worked(leaves.size);
      if (typeof left === 'boolean') break;
    }
    return left;
  }

  #reportDamage({ uid }: Entry, error: unknown): void {
    if (this.#hasReportedDamage) return;
    this.#hasReportedDamage = true;
    const { services, entry } = this.#session;
    services.log.error('message damaged, not searched', { session: entry.id, uid }, error);
  }

  #add(pageNumber: number, found: Bits): void {
    for (const bit of bitsSet(found)) {
      const uid = pageNumber * pageUids + bit;
      addRange(this.#ranges, uid, uid);
    }
  }
}

/** The open UIDs of a page from one on. */
function uidsOpen(open: Bits, start: number, from: number): UidSet {
  const ranges: RisingRange[] = [];
  for (const bit of bitsSet(open)) if (start + bit >= from) addRange(ranges, start + bit, start + bit);
  return UidSet.ofRising(ranges);
}

/** The chunks of the index that have open UIDs of a page, from the one with this UID on. */
function chunksOpen(open: Bits, start: number, from: number): UidSet {
  const ranges: RisingRange[] = [];
  for (let first = from - (from % chunkSlots); first < start + pageUids; first += chunkSlots) {
    const word = (first - start) >>> 5;
    if (((open[word] ?? 0) | (open[word + 1] ?? 0)) !== 0) addRange(ranges, first, first + chunkSlots - 1);
  }
  return UidSet.ofRising(ranges);
}
