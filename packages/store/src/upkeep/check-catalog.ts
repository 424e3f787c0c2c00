/** The catalog's invariants, one function per table, in the order of `catalog/schema.ts`. Synchronous: one snapshot. */
import { Catalog } from '../catalog/catalog.ts';
import type { Entry } from '../catalog/index-chunk.ts';
import { expungedText, keyOctets, kind, mailboxOfKey, prefixEnd, readU64, u32Key } from '../catalog/keys.ts';
import {
  type AccountRow,
  emptyTotals,
  type MailboxRow,
  mailboxIdOf,
  type PartPiece,
  type SegmentRow,
  type StateRow,
  totalsKeys,
} from '../catalog/rows.ts';
import {
  accountNameTable,
  expungedTable,
  indexTable,
  mailboxNameTable,
  messageHashTable,
  threadTable,
  uidlTable,
} from '../catalog/schema.ts';
import type { View } from '../catalog/write-set.ts';
import type { Heap } from '../heap/heap.ts';
import { partsOf, threadKeysOf } from '../log/references.ts';
import { type AccountId, brandNumber, flag, type Lsn, type MailboxId, type MessageId } from '../types.ts';
import { checkDue } from './check-due.ts';
import type { Findings } from './findings.ts';

/** What the heap is checked against afterwards. */
export interface Snapshot {
  readonly appliedLsn: Lsn;
  accounts: number;
  mailboxes: number;
  readonly entries: { name: string; lsn: Lsn; bytes: number; size: number; message: MessageId }[];
  readonly messages: { id: MessageId; sha: Buffer }[];
  readonly messageSizes: Map<MessageId, number>;
  readonly parts: { sha: Buffer; size: number; pieces: readonly PartPiece[] }[];
  readonly segments: Map<number, SegmentRow>;
  /** Live octets by segment, as the rows give them. */
  readonly liveBytes: Map<number, number>;
  /** Octets by segment that parts without references point to. */
  readonly idleBytes: Map<number, number>;
}

interface Sums {
  messages: number;
  bytes: number;
  retainedMessages: number;
  retainedBytes: number;
  mailboxes: number;
}

const everything = { from: Buffer.alloc(0), to: Buffer.alloc(80, 0xff) };

export function checkCatalog(view: View, heap: Heap, findings: Findings): Snapshot {
  return new CatalogCheck(view, heap, findings).run();
}

class CatalogCheck {
  readonly #view: View;
  readonly #catalog: Catalog;
  readonly #heap: Heap;
  readonly #findings: Findings;
  readonly #messageRefs = new Map<MessageId, number>();
  readonly #accountsOf = new Map<MessageId, Map<AccountId, number>>();
  readonly #sums = new Map<AccountId, Sums>();
  readonly #uidls = new Map<string, number>();
  readonly #totals = emptyTotals();
  readonly #state: StateRow;
  readonly #snapshot: Snapshot;

  constructor(view: View, heap: Heap, findings: Findings) {
    this.#view = view;
    this.#catalog = new Catalog(view);
    this.#heap = heap;
    this.#findings = findings;
    const state = this.#catalog.state();
    if (state === undefined) throw new RangeError('the catalog has no state row');
    this.#state = state;
    this.#snapshot = {
      appliedLsn: state.appliedLsn,
      accounts: 0,
      mailboxes: 0,
      entries: [],
      messages: [],
      messageSizes: new Map(),
      parts: [],
      segments: new Map(),
      liveBytes: new Map(),
      idleBytes: new Map(),
    };
  }

  run(): Snapshot {
    if (this.#state.appliedLsn > this.#heap.durableLsn) {
      this.#findings.add(
        '1',
        `applied up to ${this.#state.appliedLsn}, the log ends at ${this.#heap.durableLsn}`,
        'lostTail',
      );
    }
    for (const { id, row } of this.#catalog.allMailboxes()) this.#mailbox(id, row);
    this.#mailboxNames();
    this.#accounts();
    this.#leftOvers();
    const named = this.#messages();
    this.#threads();
    this.#parts(named);
    for (const [number, row] of this.#catalog.segments()) this.#segment(number, row);
    checkDue(this.#view, this.#findings);
    for (const key of totalsKeys) this.#findings.equal('totals', key, this.#state.totals[key], this.#totals[key]);
    return this.#snapshot;
  }

  #mailbox(id: MailboxId, row: MailboxRow): void {
    const findings = this.#findings;
    this.#snapshot.mailboxes++;
    const name = `mailbox ${id}`;
    this.#addLive(row.record.lsn, row.record.bytes);
    if (id > this.#state.mailbox) findings.add('1', `${name}: id above the counter ${this.#state.mailbox}`);
    const sums = this.#sumsOf(row.account);
    const counted = { messages: 0, unseen: 0, flaggedDeleted: 0, bytes: 0, retainedMessages: 0, retainedBytes: 0 };
    const uids = new Set<number>();
    const words = this.#catalog.keywords(id);
    const keywords = words.length;
    if (new Set(words.map((word) => word.toLowerCase())).size !== keywords) {
      findings.add('4', `${name}: two keywords differ in letter case alone`);
    }
    for (const entry of this.#catalog.entries(id)) {
      uids.add(entry.uid);
      counted.messages++;
      counted.bytes += entry.size;
      if ((entry.flags & flag.seen) === 0) counted.unseen++;
      if ((entry.flags & flag.deleted) !== 0) counted.flaggedDeleted++;
      if (entry.keywords.some((number) => number >= keywords)) {
        findings.add('4', `${name}: UID ${entry.uid} bears a keyword that the mailbox does not have`);
      }
      this.#entry(id, row, entry);
    }
    this.#pages(id, name, uids);
    for (const { entry } of this.#catalog.retained(id)) {
      if (uids.has(entry.uid)) findings.add('7', `${name}: UID ${entry.uid} is live and retained`);
      counted.retainedMessages++;
      counted.retainedBytes += entry.size;
      this.#entry(id, row, entry);
    }
    for (const key of ['messages', 'unseen', 'flaggedDeleted', 'bytes', 'retainedMessages', 'retainedBytes'] as const) {
      findings.equal('3', `${name}: ${key}`, row[key], counted[key]);
    }
    if (row.modSeqFloor > row.highestModSeq) findings.add('3', `${name}: MODSEQs begin above ${row.highestModSeq}`);
    const live = row.deleted ? 0 : 1;
    sums.mailboxes += live;
    sums.messages += live * counted.messages;
    sums.bytes += live * counted.bytes;
    sums.retainedMessages += counted.retainedMessages + (1 - live) * counted.messages;
    sums.retainedBytes += counted.retainedBytes + (1 - live) * counted.bytes;
    this.#expunged(id, row, uids);
  }

  #entry(id: MailboxId, row: MailboxRow, entry: Entry): void {
    const name = `mailbox ${id}, UID ${entry.uid}`;
    if (entry.uid >= row.uidNext) this.#findings.add('3', `${name}: not below UIDNEXT ${row.uidNext}`);
    if (entry.modSeq > row.highestModSeq) this.#findings.add('3', `${name}: MODSEQ above ${row.highestModSeq}`);
    this.#messageRefs.set(entry.message, (this.#messageRefs.get(entry.message) ?? 0) + 1);
    const accounts = this.#accountsOf.get(entry.message) ?? new Map<AccountId, number>();
    accounts.set(row.account, (accounts.get(row.account) ?? 0) + 1);
    this.#accountsOf.set(entry.message, accounts);
    this.#addLive(entry.lsn, entry.bytes);
    if (entry.uidl !== '') this.#uidls.set(`${id} ${entry.uidl.toLowerCase()}`, entry.uid);
    const { lsn, bytes, size, message } = entry;
    this.#snapshot.entries.push({ name, lsn, bytes, size, message });
    if (this.#catalog.message(message) === undefined) {
      this.#findings.add('6', `${name}: its message ${message} is missing`, 'danglingReference');
    }
  }

  #addLive(lsn: Lsn, bytes: number): void {
    this.#add(this.#snapshot.liveBytes, lsn, bytes);
  }

  #add(sums: Map<number, number>, lsn: Lsn, bytes: number): void {
    const segment = this.#heap.segmentOf(lsn);
    if (segment === undefined) this.#findings.add('6', `no segment holds the record at ${lsn}`, 'missingSegment');
    else sums.set(segment, (sums.get(segment) ?? 0) + bytes);
  }

  #segment(number: number, row: SegmentRow): void {
    const { segments, liveBytes, idleBytes } = this.#snapshot;
    segments.set(number, row);
    const name = `segment ${number}`;
    this.#findings.equal('14', `${name}: idle octets`, row.idle, idleBytes.get(number) ?? 0);
    if (row.retiredAt > 0 && (liveBytes.get(number) ?? 0) > 0) {
      this.#findings.add('14', `${name} is retired, and rows point into it`, 'danglingReference');
    }
  }

  #pages(id: MailboxId, name: string, uids: ReadonlySet<number>): void {
    let present = 0;
    for (const [key, chunk] of this.#view.range(indexTable, { from: u32Key(id), to: prefixEnd(u32Key(id)) })) {
      if (chunk.isEmpty) this.#findings.add('6', `${name}: index chunk ${key.readUInt32BE(4)} is empty`, 'orphan');
    }
    for (const [number, page] of this.#catalog.uidPages(id)) {
      if (page.isEmpty) this.#findings.add('5', `${name}: UID page ${number} is empty`, 'orphan');
      for (const uid of page.uids(number)) {
        present++;
        if (!uids.has(uid))
          this.#findings.add('5', `${name}: UID ${uid} is in its page and not in the index`, 'danglingReference');
        const entry = this.#catalog.entry(id, uid);
        const unseen = entry !== undefined && (entry.flags & flag.seen) === 0;
        if (page.isUnseen(uid) !== unseen)
          this.#findings.add('5', `${name}: UID ${uid} is wrongly marked unseen or seen`);
      }
    }
    this.#findings.equal('5', `${name}: UIDs present`, present, uids.size);
  }

  #expunged(id: MailboxId, row: MailboxRow, live: ReadonlySet<number>): void {
    const prefix = { from: keyOctets(expungedText(id, 0)), to: prefixEnd(u32Key(id)) };
    for (const [key, { uids }] of this.#view.range(expungedTable, prefix)) {
      const modSeq = readU64(key, 4);
      if (modSeq <= row.expungeFloor) this.#findings.add('8', `mailbox ${id}: expunges of ${modSeq} below the floor`);
      if (modSeq > row.highestModSeq) this.#findings.add('8', `mailbox ${id}: expunges of ${modSeq} above the highest`);
      for (const uid of uids) {
        if (live.has(uid)) this.#findings.add('8', `mailbox ${id}: UID ${uid} is expunged and live`);
        if (uid >= row.uidNext) this.#findings.add('8', `mailbox ${id}: UID ${uid} is expunged and was never given`);
      }
    }
  }

  #sumsOf(account: AccountId): Sums {
    const sums = this.#sums.get(account) ?? {
      messages: 0,
      bytes: 0,
      retainedMessages: 0,
      retainedBytes: 0,
      mailboxes: 0,
    };
    this.#sums.set(account, sums);
    return sums;
  }

  #mailboxNames(): void {
    const range = { from: Buffer.of(kind.name), to: Buffer.of(kind.name + 1) };
    let names = 0;
    for (const [key, id] of this.#view.range(mailboxNameTable, range)) {
      names++;
      const row = this.#catalog.mailbox(mailboxIdOf(id));
      const fits =
        row !== undefined &&
        !row.deleted &&
        row.account === key.readUInt32BE(1) &&
        row.name === key.toString('utf8', 5);
      if (!fits)
        this.#findings.add(
          '3',
          `the name ${key.toString('utf8', 5)} leads to mailbox ${id}, which is not it`,
          'orphan',
        );
    }
    const live = [...this.#sums.values()].reduce((sum, account) => sum + account.mailboxes, 0);
    this.#findings.equal('3', 'names of live mailboxes', names, live);
  }

  #accounts(): void {
    let names = 0;
    let live = 0;
    const range = { from: Buffer.of(kind.name), to: Buffer.of(kind.name + 1) };
    for (const [, id] of this.#view.range(accountNameTable, range)) {
      names++;
      const row = this.#catalog.account(brandNumber<AccountId>(id));
      if (row === undefined || row.deleted)
        this.#findings.add('2', `a name leads to account ${id}, which is not live`, 'orphan');
    }
    for (const { id, row } of this.#catalog.accounts()) {
      this.#snapshot.accounts++;
      if (!row.deleted) live++;
      if (id > this.#state.account)
        this.#findings.add('1', `account ${id}: id above the counter ${this.#state.account}`);
      this.#account(id, row);
    }
    this.#findings.equal('2', 'names of live accounts', names, live);
  }

  #account(id: AccountId, row: AccountRow): void {
    this.#addLive(row.record.lsn, row.record.bytes);
    const sums = this.#sumsOf(id);
    for (const key of ['messages', 'bytes', 'retainedMessages', 'retainedBytes', 'mailboxes'] as const) {
      this.#findings.equal('2', `account ${id}: ${key}`, row[key], sums[key]);
    }
    this.#totals.entries += sums.messages;
    this.#totals.entryBytes += sums.bytes;
    this.#totals.retained += sums.retainedMessages;
    this.#totals.retainedBytes += sums.retainedBytes;
    if (!row.deleted && this.#catalog.accountNamed(row.name)?.id !== id) {
      this.#findings.add('2', `account ${id}: its name does not lead to it`, 'danglingReference');
    }
  }

  /** Rows of mailboxes that are not there, and UIDLs. */
  #leftOvers(): void {
    for (const table of ['uids', 'index', 'retained', 'expunged', 'keywords'] as const) {
      let last = -1;
      for (const key of this.#view.keys(table, everything)) {
        const id = mailboxOfKey(key);
        if (id !== last && this.#catalog.mailbox(id) === undefined) {
          this.#findings.add('3', `rows in ${table} for mailbox ${id}, which does not exist`, 'orphan');
        }
        last = id;
      }
    }
    let uidls = 0;
    for (const [key, uid] of this.#view.range(uidlTable, everything)) {
      uidls++;
      const text = `${mailboxOfKey(key)} ${key.toString('latin1', 4)}`;
      if (this.#uidls.get(text) !== uid)
        this.#findings.add('9', `UIDL ${text} leads to UID ${uid}, which has another`, 'orphan');
    }
    this.#findings.equal('9', 'imported UIDLs', uidls, this.#uidls.size);
  }

  /** Returns how many messages name each part. */
  #messages(): Map<string, number> {
    const named = new Map<string, number>();
    let messages = 0;
    for (const [id, row] of this.#catalog.messages()) {
      messages++;
      if (id > this.#state.message)
        this.#findings.add('1', `message ${id}: id above the counter ${this.#state.message}`);
      this.#findings.equal('10', `message ${id}: references`, row.refs, this.#messageRefs.get(id) ?? 0);
      if (row.refs === 0) this.#findings.add('10', `message ${id} is kept without a reference`, 'orphan');
      if (this.#view.read(messageHashTable, row.sha) !== id)
        this.#findings.add('11', `message ${id}: its hash leads elsewhere`, 'danglingReference');
      this.#addLive(row.record.lsn, row.record.bytes);
      for (const sha of partsOf(row)) {
        const hex = sha.toString('hex');
        named.set(hex, (named.get(hex) ?? 0) + 1);
        if ((this.#catalog.part(sha)?.pieces.length ?? 0) === 0)
          this.#findings.add('10', `message ${id}: part ${hex} is missing`, 'danglingReference');
      }
      this.#totals.messages++;
      this.#totals.messageBytes += row.size;
      this.#totals.namedBytes += row.namedBytes;
      this.#totals.plainBytes += row.plainBytes;
      this.#totals.storedBytes += row.storedBytes;
      this.#snapshot.messages.push({ id, sha: row.sha });
      this.#snapshot.messageSizes.set(id, row.size);
    }
    this.#findings.equal('11', 'message hashes', this.#view.keys('messageHashes', everything).length, messages);
    return named;
  }

  #threads(): void {
    const should = new Map<string, number>();
    for (const [id, accounts] of this.#accountsOf) {
      const row = this.#catalog.message(id);
      if (row === undefined) continue;
      for (const key of threadKeysOf(row)) {
        for (const [account, count] of accounts) {
          const text = keyOctets(threadTable.key(account, key)).toString('hex');
          should.set(text, (should.get(text) ?? 0) + count);
        }
      }
    }
    let rows = 0;
    for (const [key, row] of this.#view.range(threadTable, everything)) {
      rows++;
      this.#findings.equal('12', `thread row ${key.toString('hex')}`, row.refs, should.get(key.toString('hex')) ?? 0);
      if (row.thread > this.#state.thread) this.#findings.add('1', `thread ${row.thread} above the counter`);
    }
    this.#findings.equal('12', 'thread rows', rows, should.size);
  }

  #parts(named: ReadonlyMap<string, number>): void {
    for (const [sha, row] of this.#catalog.parts()) {
      const hex = sha.toString('hex');
      this.#findings.equal('13', `part ${hex}: references`, row.refs, named.get(hex) ?? 0);
      // Its message was named already.
      if (row.pieces.length === 0 && row.refs > 0) continue;
      this.#snapshot.parts.push({ sha, size: row.size, pieces: row.pieces });
      if (row.refs === 0) {
        for (const piece of row.pieces) this.#add(this.#snapshot.idleBytes, piece.lsn, piece.bytes);
        continue;
      }
      this.#totals.parts++;
      this.#totals.partBytes += row.size;
      this.#totals.plainBytes += row.size;
      if (row.refs > 1) this.#totals.sharedBytes += row.size;
      for (const piece of row.pieces) {
        this.#totals.storedBytes += piece.storedBytes;
        this.#addLive(piece.lsn, piece.bytes);
      }
    }
  }
}
