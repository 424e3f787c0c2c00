/**
 * From damage in the heap to the people: which parts, messages and entries need the records at given LSNs. The catalog has no way
 * back from a part to its messages, so its tables are walked, once for all findings, in slices of a few ms, each with a
 * snapshot of its own: what comes or goes meanwhile may be missed, which the next scrub sees.
 */
import type { Catalog } from '../catalog/catalog.ts';
import type { Entry } from '../catalog/index-chunk.ts';
import { UidSet } from '../codec/uid-set.ts';
import { limits } from '../limits.ts';
import { partsOf } from '../log/references.ts';
import type { Clock } from '../sys/clock.ts';
import { brandNumber, type Lsn, type MailboxId, type MessageId } from '../types.ts';
import type { Concerned } from './findings.ts';
import { Pace } from './pace.ts';

/** A run of LSNs; `to` is exclusive. */
export interface LsnRange {
  readonly from: Lsn;
  readonly to: Lsn;
}

/** An entry that cannot be read as it was stored. */
export interface ConcernedEntry {
  readonly mailbox: MailboxId;
  readonly entry: Entry;
  /** Expunged, and in retention. */
  readonly retained: boolean;
  /** Indexes of the ranges that it needs; empty when what it names is not in the catalog. */
  readonly ranges: readonly number[];
}

/** What needs the ranges. */
export interface Needing {
  /** SHA-256 in hexadecimal → indexes of ranges. */
  readonly parts: ReadonlyMap<string, readonly number[]>;
  /** MESSAGE records that lie in a range, and messages that need such a part, or one that is not in the catalog. */
  readonly messages: ReadonlyMap<MessageId, readonly number[]>;
  readonly entries: readonly ConcernedEntry[];
}

/** Rows looked at between two looks at the clock. */
const rowsPerLook = 64;
const uidMax = 0xffff_ffff;

/** @param catalog gives the catalog as it is now */
export async function needing(catalog: () => Catalog, ranges: readonly LsnRange[], clock: Clock): Promise<Needing> {
  return new Lookup(catalog, ranges, clock).run();
}

class Lookup {
  readonly #catalog: () => Catalog;
  readonly #sorted: readonly (LsnRange & { readonly index: number })[];
  /** For each of them the highest end up to it. */
  readonly #ends: readonly number[];
  readonly #pace: Pace;
  readonly #parts = new Map<string, readonly number[]>();
  readonly #messages = new Map<MessageId, readonly number[]>();
  readonly #entries: ConcernedEntry[] = [];
  readonly #mailboxes: MailboxId[] = [];

  constructor(catalog: () => Catalog, ranges: readonly LsnRange[], clock: Clock) {
    this.#catalog = catalog;
    this.#sorted = ranges.map((range, index) => ({ ...range, index })).sort((a, b) => a.from - b.from);
    let highest = 0;
    this.#ends = this.#sorted.map(({ to }) => (highest = Math.max(highest, to)));
    this.#pace = new Pace({ clock, rateBytes: 0 });
  }

  async run(): Promise<Needing> {
    await this.#walkParts();
    await this.#walkMessages();
    await this.#walkEntries();
    return { parts: this.#parts, messages: this.#messages, entries: this.#entries };
  }

  /** Indexes of the ranges that hold the LSN. Asked for every record in use, of which next to none are hit. */
  #hit(lsn: Lsn): number[] {
    const found: number[] = [];
    if (!this.#isNear(lsn)) return found;
    for (const { from, to, index } of this.#sorted) {
      if (from > lsn) break;
      if (lsn < to) found.push(index);
    }
    return found;
  }

  /** Whether the LSN lies below the highest end of the ranges that begin at or before it. */
  #isNear(lsn: Lsn): boolean {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle]?.from ?? 0) <= lsn) low = middle + 1;
      else high = middle;
    }
    return lsn < (this.#ends[low - 1] ?? 0);
  }

  /** Calls `take` with rows, a few at a time, each few from a new snapshot; ends when it comes back with none. */
  async #slices(take: (catalog: Catalog) => number): Promise<void> {
    for (;;) {
      const count = take(this.#catalog());
      if (count === 0) return;
      const waiting = this.#pace.spend(0);
      if (waiting !== undefined) await waiting;
    }
  }

  #walkParts(): Promise<void> {
    let first: Buffer = Buffer.alloc(0);
    return this.#slices((catalog) => {
      let count = 0;
      for (const [sha, row] of catalog.parts(first)) {
        first = Buffer.concat([sha, Buffer.of(0)]);
        const found = row.pieces.flatMap(({ lsn }) => this.#hit(lsn));
        if (found.length > 0) this.#parts.set(sha.toString('hex'), distinct(found));
        if (++count === rowsPerLook) break;
      }
      return count;
    });
  }

  #walkMessages(): Promise<void> {
    let first = 0;
    return this.#slices((catalog) => {
      let count = 0;
      for (const [id, row] of catalog.messages(first)) {
        first = id + 1;
        const found = this.#hit(row.record.lsn);
        let lacks = false;
        for (const sha of partsOf(row)) {
          found.push(...(this.#parts.get(sha.toString('hex')) ?? []));
          lacks ||= (catalog.part(sha)?.pieces.length ?? 0) === 0;
        }
        if (found.length > 0 || lacks) this.#messages.set(id, distinct(found));
        if (++count === rowsPerLook) break;
      }
      return count;
    });
  }

  async #walkEntries(): Promise<void> {
    let first = 0;
    await this.#slices((catalog) => {
      let count = 0;
      for (const { id } of catalog.allMailboxes(first)) {
        first = id + 1;
        count++;
        // Small mailboxes share a slice; a large one is walked by itself.
        this.#mailboxes.push(id);
        if (count === rowsPerLook) break;
      }
      return count;
    });
    for (const id of this.#mailboxes) {
      await this.#walkMailbox(id, false);
      await this.#walkMailbox(id, true);
    }
  }

  #walkMailbox(mailbox: MailboxId, retained: boolean): Promise<void> {
    let first = 1;
    return this.#slices((catalog) => {
      let count = 0;
      if (first > uidMax) return 0;
      const uids = UidSet.range(first, uidMax);
      const entries = retained
        ? entriesOf(catalog.retained(mailbox, uids, rowsPerLook))
        : catalog.entries(mailbox, uids);
      for (const entry of entries) {
        first = entry.uid + 1;
        this.#take(catalog, mailbox, entry, retained);
        if (++count === rowsPerLook) break;
      }
      return count;
    });
  }

  #take(catalog: Catalog, mailbox: MailboxId, entry: Entry, retained: boolean): void {
    const found = this.#hit(entry.lsn);
    const ofMessage = this.#messages.get(entry.message);
    const lacks = ofMessage === undefined && catalog.message(entry.message) === undefined;
    if (found.length === 0 && ofMessage === undefined && !lacks) return;
    this.#entries.push({ mailbox, entry, retained, ranges: distinct([...found, ...(ofMessage ?? [])]) });
  }
}

function* entriesOf(rows: Iterable<{ readonly entry: Entry }>): Generator<Entry> {
  for (const { entry } of rows) yield entry;
}

function distinct(indexes: readonly number[]): readonly number[] {
  return indexes.length < 2 ? indexes : [...new Set(indexes)];
}

/** For each of `count` ranges, the entries that need it, by mailbox, with their names. */
export function concernedBy(catalog: Catalog, { entries }: Needing, count: number): Concerned[][] {
  const uids = Array.from({ length: count }, () => new Map<MailboxId, number[]>());
  for (const { mailbox, entry, ranges } of entries) {
    for (const index of ranges) {
      const byMailbox = uids[index];
      const known = byMailbox?.get(mailbox);
      if (known !== undefined) known.push(entry.uid);
      else byMailbox?.set(mailbox, [entry.uid]);
    }
  }
  return uids.map((byMailbox) =>
    [...byMailbox].slice(0, limits.concernedMailboxes).map(([mailbox, list]) => named(catalog, mailbox, list)),
  );
}

function named(catalog: Catalog, mailbox: MailboxId, uids: readonly number[]): Concerned {
  const row = catalog.mailbox(mailbox);
  const account = row?.account ?? brandNumber<NonNullable<typeof row>['account']>(0);
  return {
    account,
    accountName: catalog.account(account)?.name ?? '',
    mailbox,
    mailboxName: row?.name ?? '',
    uids: UidSet.of(uids)
      .ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}:${last}`))
      .join(','),
  };
}
