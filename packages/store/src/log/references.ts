/**
 * Who names what: references of entries to messages and of messages to parts, and the octets that live or die with them.
 *
 * A count changes in the same write set as the reference. A message without entries is gone at once, with its hash; a part
 * without messages stays, dead but nameable. Octets of PART, MESSAGE and ENTRY records are live while something names them
 * and dead otherwise, segment by segment; the store's totals follow. Dead octets that a part's row still points to are *idle*: a
 * segment that has neither live nor idle octets is one that no row points into.
 */
import type { Entry } from '../catalog/index-chunk.ts';
import { shaBytes } from '../catalog/message-row.ts';
import {
  type AccountRow,
  emptySegment,
  type MessageRow,
  type PartPiece,
  type PartRow,
  type SegmentRow,
  type StateRow,
} from '../catalog/rows.ts';
import {
  accountTable,
  messageHashTable,
  messageTable,
  partTable,
  segmentTable,
  stateTable,
  threadTable,
} from '../catalog/schema.ts';
import type { View } from '../catalog/write-set.ts';
import { invariant } from '../errors.ts';
import type { AccountId, Location, Lsn } from '../types.ts';
import { derive, fitsRow, treeOf } from './derive.ts';
import { manifestParts } from './manifest.ts';
import type { MessageRecord } from './records.ts';

/** What apply needs to know of the heap: which segment holds an LSN; undefined when none does any more. */
export type SegmentOf = (lsn: Lsn) => number | undefined;

/** The references of one catalog, seen through a view that can be written. */
export class References {
  readonly view: View;
  readonly state: StateRow;
  readonly #segmentOf: SegmentOf;
  /** Octets that went from live to dead so far, less those that came back. */
  deadBytes = 0;

  readonly #rebuilding: boolean;

  constructor(view: View, segmentOf: SegmentOf, rebuilding = false) {
    this.#rebuilding = rebuilding;
    this.view = view;
    this.#segmentOf = segmentOf;
    const state = view.edit(stateTable);
    invariant(state !== undefined, 'a catalog has a state row');
    this.state = state;
  }

  /** The account whose mailboxes and messages are counted; a rebuild counts them at the end, when all accounts are there. */
  counted(id: AccountId): AccountRow | undefined {
    return this.#rebuilding ? undefined : this.view.edit(accountTable, id);
  }

  /** Adds a record's octets to its segment's account. */
  count(location: Location, as: 'live' | 'dead' | 'other' | 'restated'): void {
    const row = this.#segment(location.lsn);
    if (row !== undefined) row[as] += location.bytes;
  }

  /** Moves a record's octets from live to dead, or back. */
  recount(location: Location, to: 'live' | 'dead'): void {
    this.deadBytes += to === 'dead' ? location.bytes : -location.bytes;
    const row = this.#segment(location.lsn);
    if (row === undefined) return;
    row[to] += location.bytes;
    row[to === 'live' ? 'dead' : 'live'] -= location.bytes;
  }

  /** Notes the sequence of a record in the state and its segment. */
  see(location: Location, sequence: number): void {
    this.state.sequence = Math.max(this.state.sequence, sequence);
    const row = this.#segment(location.lsn);
    if (row === undefined) return;
    if (row.firstSequence === 0) row.firstSequence = sequence;
    row.lastSequence = Math.max(row.lastSequence, sequence);
  }

  #segment(lsn: Lsn): SegmentRow | undefined {
    const number = this.#segmentOf(lsn);
    if (number === undefined) return undefined;
    return this.view.edit(segmentTable, number) ?? this.view.put(segmentTable, emptySegment(), number);
  }

  /**
   * Nothing points into the segment from `time` on, seconds since 1970. A replay may come to this behind a header that no longer lists
   * the segment: then it could not tell which of its octets died on the way here.
   */
  retire(number: number, time: number): void {
    const row = this.view.edit(segmentTable, number) ?? this.view.put(segmentTable, emptySegment(), number);
    row.retiredAt = time;
    if (this.#rebuilding) return;
    row.dead += row.live;
    row.live = 0;
    row.idle = 0;
  }

  /** Notes that a part without references points to these octets, or no longer does. */
  #idle(pieces: readonly PartPiece[], sign: 1 | -1): void {
    for (const { lsn, bytes } of pieces) {
      const row = this.#segment(lsn);
      if (row !== undefined) row.idle += sign * bytes;
    }
  }

  /** A part's content lies in `pieces`, newer than any before; their octets count as dead until a message names it. */
  addPart(sha: Buffer, size: number, pieces: readonly PartPiece[]): void {
    const known = this.view.edit(partTable, sha);
    if (known === undefined) {
      this.view.put(partTable, { refs: 0, size, pieces }, sha);
      this.#idle(pieces, 1);
      return;
    }
    if (known.refs === 0) this.#idle(known.pieces, -1);
    else this.#countPart(known, -1);
    known.size = size;
    known.pieces = pieces;
    if (known.refs === 0) this.#idle(pieces, 1);
    else this.#countPart(known, 1);
  }

  /** Counts a part with references, and its octets as live, or no longer. */
  #countPart(row: PartRow, sign: 1 | -1): void {
    // One whose content is not there counts for nothing.
    if (row.pieces.length === 0) return;
    for (const piece of row.pieces) this.recount(piece, sign === 1 ? 'live' : 'dead');
    const { totals } = this.state;
    totals.parts += sign;
    totals.partBytes += sign * row.size;
    totals.plainBytes += sign * row.size;
    totals.storedBytes += sign * stored(row);
    if (row.refs > 1) totals.sharedBytes += sign * row.size;
  }

  /** Forgets a part that no message names and that was not written behind `lsn`. */
  dropPart(sha: Buffer, lsn: number): void {
    const row = this.view.read(partTable, sha);
    if (row === undefined || row.refs > 0 || row.pieces.some((piece) => piece.lsn > lsn)) return;
    this.#idle(row.pieces, -1);
    this.view.remove(partTable, sha);
  }

  /** A message's content is there; nothing names it yet. */
  addMessage(record: MessageRecord, location: Location): void {
    const { state, view } = this;
    state.message = Math.max(state.message, record.id);
    this.count(location, 'live');
    const known = view.edit(messageTable, record.id);
    if (known !== undefined) {
      // Written again: the newer record is the one to keep.
      this.recount(known.record, 'dead');
      known.record = location;
      return;
    }
    const parts = manifestParts(record.manifest);
    const namedBytes = record.manifest.reduce((sum, piece) => sum + (piece.kind === 'part' ? piece.bytes : 0), 0);
    const derived = record.derived ?? derive(treeOf(record.manifest, record.literals));
    const kept = fitsRow(derived);
    const none = Buffer.alloc(0);
    const row: MessageRow = {
      refs: 0,
      record: location,
      sha: record.sha,
      size: record.size,
      headerBytes: record.headerBytes,
      plainBytes: record.plainBytes,
      storedBytes: record.storedBytes,
      namedBytes,
      parts,
      threadKeys: derived.threadKeys,
      derived: kept,
      envelope: kept ? derived.envelope : none,
      bodyStructure: kept ? derived.bodyStructure : none,
      listedFields: kept ? derived.listedFields : none,
    };
    view.put(messageTable, row, record.id);
    view.put(messageHashTable, record.id, record.sha);
    for (const sha of partsOf(row)) this.#referencePart(sha);
    addToTotals(state, row, 1);
  }

  #referencePart(sha: Buffer): void {
    const row = this.view.edit(partTable, sha);
    if (row === undefined) {
      // In a log that was compacted the content may come later, in one with gaps never: who names it is known all the same.
      this.view.put(partTable, { refs: 1, size: 0, pieces: [] }, sha);
      return;
    }
    row.refs++;
    if (row.refs === 1) {
      this.#idle(row.pieces, -1);
      this.#countPart(row, 1);
    } else if (row.refs === 2) this.state.totals.sharedBytes += row.size;
  }

  #releasePart(sha: Buffer): void {
    const row = this.view.edit(partTable, sha);
    if (row === undefined || row.refs === 0) return;
    if (row.refs === 1) {
      this.#countPart(row, -1);
      this.#idle(row.pieces, 1);
    } else if (row.refs === 2) this.state.totals.sharedBytes -= row.size;
    row.refs--;
    if (row.refs === 0 && row.pieces.length === 0) this.view.remove(partTable, sha);
  }

  /** An entry of this account begins to name the message. */
  referenceMessage(entry: Entry, account: AccountId): void {
    const row = this.view.edit(messageTable, entry.message);
    if (row === undefined) return;
    row.refs++;
    for (const key of threadKeysOf(row)) {
      const thread = this.view.edit(threadTable, account, key);
      if (thread === undefined) this.view.put(threadTable, { thread: entry.thread, refs: 1 }, account, key);
      else thread.refs++;
    }
  }

  /** An entry of this account is gone for good: its record is dead, and what only it held goes with it. */
  releaseEntry(entry: Entry, account: AccountId): void {
    this.recount({ lsn: entry.lsn, bytes: entry.bytes }, 'dead');
    const row = this.view.edit(messageTable, entry.message);
    if (row === undefined) return;
    row.refs--;
    for (const key of threadKeysOf(row)) {
      const thread = this.view.edit(threadTable, account, key);
      if (thread === undefined) continue;
      thread.refs--;
      if (thread.refs === 0) this.view.remove(threadTable, account, key);
    }
    // In a log that was compacted, who else names it may come later: a rebuild drops messages at its end.
    if (row.refs === 0 && !this.#rebuilding) this.dropMessage(entry.message, row);
  }

  /** Removes a message that nothing names. */
  dropMessage(id: Entry['message'], row: MessageRow): void {
    this.view.remove(messageTable, id);
    if (this.view.read(messageHashTable, row.sha) === id) this.view.remove(messageHashTable, row.sha);
    this.recount(row.record, 'dead');
    for (const sha of partsOf(row)) this.#releasePart(sha);
    addToTotals(this.state, row, -1);
  }
}

function addToTotals(state: StateRow, row: MessageRow, sign: 1 | -1): void {
  const { totals } = state;
  totals.messages += sign;
  totals.messageBytes += sign * row.size;
  totals.namedBytes += sign * row.namedBytes;
  totals.plainBytes += sign * row.plainBytes;
  totals.storedBytes += sign * row.storedBytes;
}

function stored(row: PartRow): number {
  return row.pieces.reduce((sum, piece) => sum + piece.storedBytes, 0);
}

/** The SHA-256 of each part a message names. */
export function* partsOf(row: MessageRow): Generator<Buffer> {
  const { parts } = row;
  for (let at = 0; at < parts.length; at += shaBytes) yield parts.subarray(at, at + shaBytes);
}

export function* threadKeysOf(row: MessageRow): Generator<Buffer> {
  const { threadKeys } = row;
  for (let at = 0; at < threadKeys.length; at += 8) yield threadKeys.subarray(at, at + 8);
}
