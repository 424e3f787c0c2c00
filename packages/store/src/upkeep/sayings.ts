/**
 * What a victim of compaction says beyond content: entries, flags, expunges, names, ends. Takes its records in order of the log,
 * keeps what has to be said again, and has it decided in small lots.
 *
 * How each record is taken stands in docs/compaction.md, "The steps for one victim". An event that is not named there says
 * nothing beyond the row of its mailbox or account, which is restated whole.
 */
import { Catalog, type NamedAccount } from '../catalog/catalog.ts';
import { mailboxTable } from '../catalog/schema.ts';
import { UidSet } from '../codec/uid-set.ts';
import { limits } from '../limits.ts';
import type { EventBody, FlagGroup } from '../log/events.ts';
import type { EntryRecord, LogRecord } from '../log/records.ts';
import type { RestateBody } from '../log/restate.ts';
import { type AccountId, brandNumber, type Location, type Lsn, type MailboxId, type ModSeq } from '../types.ts';
import {
  decideAccount,
  decideMailbox,
  decideRetiredAgain,
  decideVanished,
  flagsToRestate,
  type Move,
  retainedToRestate,
} from '../writer/intents/restate.ts';
import type { Turn } from '../writer/turn.ts';

export interface SayingsPorts {
  catalog(): Catalog;
  inVictim(lsn: Lsn): boolean;
  /** Base LSN of the oldest segment that stays. */
  oldestOther(): number;
  submit(decide: (turn: Turn) => void): Promise<void>;
  /** Lets others have a turn, when it is their time. */
  breathe(): Promise<void>;
  /** Runs a piece of work, whose time counts. */
  work<T>(piece: () => T): T;
}

/** Something to be said again, if it still stands. */
interface Saying {
  /** Rows that are looked at for it. */
  readonly rows: number;
  /** Whether it seems to stand now. */
  stands(catalog: Catalog): boolean;
  decide(turn: Turn): void;
}

/** UIDs of a mailbox that were purged, and where that was said. */
interface GoneUids {
  readonly mailbox: MailboxId;
  readonly goneAt: Lsn;
  readonly uids: UidSet;
}

/** UIDs of one flags or expunge event that are looked at in one turn. */
const uidsPerSaying = 250;
/** UIDs of the tombstones of one decision: each is looked up when it is applied. */
const uidsPerIntent = 5_000;
/** Mailboxes or accounts of one decision. */
const ownersPerIntent = 32;
/** Mailboxes or accounts looked at in one turn. */
const ownersPerLook = 500;

export class Sayings {
  readonly #ports: SayingsPorts;
  #pending: Saying[] = [];
  #rows = 0;
  /** The newest record of each in the victim. */
  readonly #mailboxes = new Map<MailboxId, Lsn>();
  readonly #accounts = new Map<AccountId, Lsn>();
  /** Of mailboxes that a record in the victim made. */
  readonly #makers = new Map<MailboxId, AccountId>();
  /** What went, and the newest record that made it go. */
  readonly #gone = new Map<MailboxId, { readonly sets: UidSet[]; goneAt: Lsn }>();
  readonly #mailboxesGone = new Map<MailboxId, Lsn>();
  readonly #accountsGone = new Map<AccountId, Lsn>();
  /** A record about all mailboxes there were. */
  #everyMailbox: Lsn | undefined;
  /** A name was lost by a mailbox whose account nobody knows any more. */
  #lostName: Lsn | undefined;

  constructor(ports: SayingsPorts) {
    this.#ports = ports;
  }

  /** True when `flush` should be called before the next record. */
  get isDue(): boolean {
    return this.#rows >= 2 * uidsPerSaying || this.#pending.length >= limits.compactRecords;
  }

  /** Takes a record; an entry that may have to move is returned. */
  look(record: LogRecord, location: Location): Move | undefined {
    if (record.type === 'entry') return this.#entry(record, location);
    if (record.type === 'event') this.#event(record.body, record.sequence, record.time, location.lsn);
    if (record.type !== 'restate') return undefined;
    if (record.body.kind === 'entry') return this.#entry(record.body, location);
    this.#restate(record.body, location.lsn);
    return undefined;
  }

  #entry(record: Pick<EntryRecord, 'mailbox' | 'uid' | 'trace'>, { lsn, bytes }: Location): Move | undefined {
    const { mailbox, uid, trace } = record;
    this.#mailboxes.set(mailbox, lsn);
    if (this.#ports.catalog().entryOrRetained(mailbox, uid)?.entry.lsn !== lsn) return undefined;
    return { kind: 'entry', lsn, bytes, mailbox, uid, trace };
  }

  #event(body: EventBody, sequence: number, time: number, lsn: Lsn): void {
    switch (body.kind) {
      case 'accountCreated':
      case 'accountRenamed':
      case 'accountDeleted':
      case 'accountRestored':
      case 'namesForgotten':
      case 'quotaSet':
      case 'subscribed':
        this.#accounts.set(body.account, lsn);
        break;
      case 'accountPurged':
        this.#accountsGone.set(body.account, lsn);
        break;
      case 'metadataSet':
        if (body.mailbox === 0) this.#accounts.set(body.account, lsn);
        else this.#mailboxes.set(body.mailbox, lsn);
        break;
      case 'mailboxesRenamed':
        this.#accounts.set(body.account, lsn);
        for (const { mailbox } of body.names) this.#mailboxes.set(mailbox, lsn);
        break;
      case 'mailboxDeleted':
        this.#deleted(body.mailbox, lsn);
        break;
      case 'mailboxCreated':
        this.#makers.set(body.mailbox, body.account);
        this.#mailboxes.set(body.mailbox, lsn);
        break;
      case 'mailboxRestored':
      case 'roleSet':
      case 'expungeFloor':
        this.#mailboxes.set(body.mailbox, lsn);
        break;
      case 'mailboxPurged':
        this.#mailboxesGone.set(body.mailbox, lsn);
        break;
      case 'flagsSet':
        this.#mailboxes.set(body.mailbox, lsn);
        this.#flags(body.mailbox, modSeqOf(sequence), body.groups, lsn);
        break;
      case 'expunged':
        this.#mailboxes.set(body.mailbox, lsn);
        this.#vanished(body.mailbox, modSeqOf(sequence), time);
        if (body.retained) this.#retained(body.mailbox, body.uids, time, lsn);
        else this.#wentAt(body.mailbox, body.uids, lsn);
        break;
      case 'purged':
        this.#mailboxes.set(body.mailbox, lsn);
        this.#wentAt(body.mailbox, body.uids, lsn);
        break;
      case 'historyLost':
      case 'restored':
        this.#everyMailbox = lsn;
        break;
      case 'segmentsRetired':
        if (!body.dropped) for (const segment of body.segments) this.#retiredAgain(segment);
        break;
      case 'partsDropped':
        // A row that is not there needs no record.
        break;
      default:
        // An event that is not here does not compile: what it says would be lost with its segment.
        body satisfies never;
    }
  }

  #restate(body: Exclude<RestateBody, { readonly kind: 'entry' }>, lsn: Lsn): void {
    switch (body.kind) {
      case 'mailbox':
        this.#makers.set(body.mailbox, body.account);
        this.#mailboxes.set(body.mailbox, lsn);
        break;
      case 'account':
        this.#accounts.set(body.account, lsn);
        break;
      case 'details':
        // Goes with its mailbox or account, in the same batch.
        break;
      case 'flags':
        this.#flags(body.mailbox, body.modSeq, body.groups, lsn);
        break;
      case 'retained':
        this.#retained(body.mailbox, body.uids, body.expungedAt, lsn);
        break;
      case 'vanished':
        this.#vanished(body.mailbox, body.modSeq, body.time);
        break;
      case 'gone':
        this.#wentAt(body.mailbox, body.uids, body.goneAt);
        break;
      case 'mailboxGone':
        this.#mailboxesGone.set(body.mailbox, body.goneAt);
        break;
      case 'accountGone':
        this.#accountsGone.set(body.account, body.goneAt);
        break;
    }
  }

  #say(saying: Saying): void {
    this.#pending.push(saying);
    this.#rows += saying.rows;
  }

  #flags(mailbox: MailboxId, modSeq: ModSeq, groups: readonly FlagGroup[], lsn: Lsn): void {
    const { inVictim } = this.#ports;
    for (const group of groups) {
      for (const uids of group.uids.slices(uidsPerSaying)) {
        const said = { mailbox, lsn, modSeq, groups: [{ ...group, uids }] };
        const still = (catalog: Catalog): FlagGroup[] => flagsToRestate(catalog, said, inVictim);
        this.#say({
          rows: uids.size,
          stands: (catalog) => still(catalog).length > 0,
          decide: (turn) => {
            const now = still(new Catalog(turn.view));
            if (now.length > 0) turn.restate({ kind: 'flags', mailbox, modSeq, groups: now });
          },
        });
      }
    }
  }

  #retained(mailbox: MailboxId, all: UidSet, expungedAt: number, lsn: Lsn): void {
    const { inVictim } = this.#ports;
    for (const uids of all.slices(uidsPerSaying)) {
      const still = (catalog: Catalog): UidSet => retainedToRestate(catalog, { mailbox, lsn, uids }, inVictim);
      this.#say({
        rows: uids.size,
        stands: (catalog) => still(catalog).size > 0,
        decide: (turn) => {
          const now = still(new Catalog(turn.view));
          if (now.size > 0) turn.restate({ kind: 'retained', mailbox, expungedAt, uids: now });
        },
      });
    }
  }

  #vanished(mailbox: MailboxId, modSeq: ModSeq, time: number): void {
    this.#say({
      rows: 1,
      stands: (catalog) => catalog.isExpungeKnown(mailbox, modSeq),
      decide: (turn) => decideVanished(turn, mailbox, modSeq, time),
    });
  }

  #retiredAgain(segment: number): void {
    this.#say({
      rows: 1,
      stands: (catalog) => catalog.segment(segment) !== undefined,
      decide: (turn) => decideRetiredAgain(turn, segment),
    });
  }

  #wentAt(mailbox: MailboxId, uids: UidSet, goneAt: Lsn): void {
    const known = this.#gone.get(mailbox);
    if (known === undefined) this.#gone.set(mailbox, { sets: [uids], goneAt });
    else {
      known.sets.push(uids);
      if (goneAt > known.goneAt) known.goneAt = goneAt;
    }
  }

  #deleted(mailbox: MailboxId, lsn: Lsn): void {
    this.#mailboxes.set(mailbox, lsn);
    const account = this.#ports.catalog().mailbox(mailbox)?.account;
    // Its account remembers the name.
    if (account === undefined) this.#lostName ??= lsn;
    else this.#accounts.set(account, lsn);
  }

  /** Has what was kept so far decided. */
  async flush(): Promise<void> {
    const pending = this.#pending.splice(0);
    this.#rows = 0;
    for (let lot: Saying[] = []; pending.length > 0; lot = []) {
      for (let rows = 0; rows < uidsPerSaying && lot.length < limits.compactRecords; ) {
        const next = pending.shift();
        if (next === undefined) break;
        rows += next.rows;
        if (this.#ports.work(() => next.stands(this.#ports.catalog()))) lot.push(next);
      }
      if (lot.length > 0) {
        await this.#ports.submit((turn) => {
          for (const saying of lot) saying.decide(turn);
        });
      }
      await this.#ports.breathe();
    }
  }

  /** Has all the rest decided: ends, mailboxes, accounts. */
  async end(): Promise<void> {
    await this.flush();
    await this.#endGone();
    await this.#inLots([...this.#mailboxesGone], (turn, [mailbox, goneAt]) => {
      if (this.#ports.oldestOther() < goneAt) turn.restate({ kind: 'mailboxGone', mailbox, goneAt });
    });
    await this.#inLots([...this.#accountsGone], (turn, [account, goneAt]) => {
      if (this.#ports.oldestOther() < goneAt) turn.restate({ kind: 'accountGone', account, goneAt });
    });
    await this.#addUnnamed();
    await this.#inLots([...this.#mailboxes], (turn, [id, seen]) => decideMailbox(turn, id, seen, this.#makers.get(id)));
    await this.#inLots([...this.#accounts], (turn, [id, seen]) => decideAccount(turn, id, seen));
  }

  async #endGone(): Promise<void> {
    const say = (turn: Turn, gone: GoneUids): void => {
      if (this.#ports.oldestOther() >= gone.goneAt || turn.view.read(mailboxTable, gone.mailbox) === undefined) return;
      turn.restate({ kind: 'gone', ...gone });
    };
    await this.#inLots(this.#goneUids(), say, ({ uids }) => uids.size);
  }

  *#goneUids(): Generator<GoneUids> {
    for (const [mailbox, { sets, goneAt }] of this.#gone) {
      const all = UidSet.ofRanges(sets.flatMap((set) => set.ranges));
      for (const uids of all.slices(uidsPerIntent)) yield { mailbox, goneAt, uids };
    }
  }

  /** Owners that a record concerns and does not name. */
  async #addUnnamed(): Promise<void> {
    const every = this.#everyMailbox;
    for (let after: MailboxId | undefined; every !== undefined; ) {
      const some: MailboxId[] = this.#ports.catalog().mailboxesAfter(after, ownersPerLook);
      for (const id of some) this.#mailboxes.set(id, laterOf(every, this.#mailboxes.get(id)));
      after = some.at(-1);
      if (some.length < ownersPerLook) break;
      await this.#ports.breathe();
    }
    const lost = this.#lostName;
    for (let after: AccountId | undefined; lost !== undefined; ) {
      const some: readonly NamedAccount[] = take(this.#ports.catalog().accounts(after), ownersPerLook);
      // One that lost a name behind that lost one in the victim, for all that can be told.
      for (const { id, row } of some) {
        if (row.memoryLsn >= lost) this.#accounts.set(id, laterOf(lost, this.#accounts.get(id)));
      }
      after = some.at(-1)?.id;
      if (some.length < ownersPerLook) break;
      await this.#ports.breathe();
    }
  }

  /** `uidsOf`: how many UIDs one of them names. */
  async #inLots<T>(
    all: Iterable<T>,
    decide: (turn: Turn, one: T) => void,
    uidsOf: (one: T) => number = () => 0,
  ): Promise<void> {
    for (const some of lotsOf(all, uidsOf)) {
      await this.#ports.submit((turn) => {
        for (const one of some) decide(turn, one);
      });
      await this.#ports.breathe();
    }
  }
}

/** What one decision takes: a bounded number of them, and of UIDs that they name. */
function* lotsOf<T>(all: Iterable<T>, uidsOf: (one: T) => number): Generator<readonly T[]> {
  let lot: T[] = [];
  let uids = 0;
  for (const one of all) {
    const more = uidsOf(one);
    if (lot.length === ownersPerIntent || (lot.length > 0 && uids + more > uidsPerIntent)) {
      yield lot;
      lot = [];
      uids = 0;
    }
    lot.push(one);
    uids += more;
  }
  if (lot.length > 0) yield lot;
}

function modSeqOf(sequence: number): ModSeq {
  return brandNumber<ModSeq>(sequence);
}

function laterOf(lsn: Lsn, other: Lsn | undefined): Lsn {
  return other === undefined || other < lsn ? lsn : other;
}

function take<T>(all: Iterable<T>, most: number): T[] {
  const some: T[] = [];
  for (const one of all) {
    some.push(one);
    if (some.length >= most) break;
  }
  return some;
}
