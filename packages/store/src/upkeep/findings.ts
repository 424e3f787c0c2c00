/** What a check found, and how it is collected. */
import type { Lsn } from '../types.ts';

/**
 * What kind of damage a finding is; each has its own action in `repair-plan.ts`, and its own section in
 * docs/operations/recovery.md.
 */
export type FindingState =
  | 'danglingReference' // a row names something that is not there
  | 'orphan' // a row that nothing leads to, or that leads nowhere
  | 'wrongCount' // a count, sum or bound that counting does not give
  | 'badChecksum' // a record whose payload, or content whose SHA-256, is not what was written
  | 'tornTail' // octets behind the last whole batch, which nobody was promised
  | 'lostTail' // the log ends before what the catalog knows
  | 'corruptLog' // no record where one must be, or a batch that disagrees with its COMMIT
  | 'missingSegment' // a listed segment without a file, or whose header is lost
  | 'unlistedSegment' // a segment's file that no header lists
  | 'noCatalog'; // the catalog is missing, or cannot be read

/** Where in the heap it is. */
export interface FindingPlace {
  readonly segment: number;
  /** Octets from the start of the file. */
  readonly offset: number;
  /** 0 where it is not known. */
  readonly lsn: Lsn;
  /** Octets that cannot be used; 0 where it is not known. */
  readonly bytes: number;
  /** `PART`, `MESSAGE` …; `unreadable` where the record's head is bad. */
  readonly record: string;
}

/** Entries of one mailbox that need what is damaged. */
export interface Concerned {
  readonly account: number;
  readonly accountName: string;
  readonly mailbox: number;
  readonly mailboxName: string;
  /** As IMAP writes sets: `1,3:5`. */
  readonly uids: string;
}

/** One thing that is not as it must be. */
export interface Finding {
  /** Which invariant: the number in catalog/schema.ts, `heap` or `open`. */
  readonly area: string;
  readonly state: FindingState;
  readonly text: string;
  readonly place?: FindingPlace;
  /** Whose mail needs it, where that was looked up. */
  readonly concerned?: readonly Concerned[];
}

/** Findings kept; a store with more has one cause. */
const findingsMax = 1_000;

export class Findings {
  readonly list: Finding[] = [];
  /** Findings made; the list may hold less. */
  count = 0;

  add(area: string, text: string, state: FindingState = 'wrongCount', place?: FindingPlace): void {
    this.count++;
    if (this.list.length < findingsMax) this.list.push({ area, state, text, ...(place !== undefined && { place }) });
  }

  /** Adds a finding unless the two are equal. */
  equal(area: string, what: string, is: number, should: number): void {
    if (is !== should) this.add(area, `${what} is ${is}, counting gives ${should}`);
  }
}
