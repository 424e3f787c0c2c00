/**
 * Where the log ends: what is believed of the newest segment at open, and of its growth at refresh. Implements
 * docs/format/heap.md, "What is believed at open".
 *
 * The argument. The writer writes batch n+1 only after batch n's datasync returned, and says so in n+1's COMMIT
 * (*previous durable LSN*). So whatever lies below the highest such LSN, *proved*, was on disk: if it cannot be read
 * now, the disk lost it, and that is corruption. What lies above may never have been synced, in whole, in part, or out
 * of order: there only a batch whose every octet checks is believed, and the first that does not is where the power
 * failed. A walk from head to head finds all COMMITs without reading payloads; at the first place without a head, the
 * rest of the file is searched for a COMMIT that proves that place. Only batches above *proved* are then read whole.
 */
import { isStoreError } from '../errors.ts';
import { brandNumber, type Lsn } from '../types.ts';
import { BatchCheck } from './batch-check.ts';
import { corruptAt, type Segment } from './chain.ts';
import type { SegmentFiles } from './files.ts';
import { commitType, decodeCommit, lsnAt, type RecordHead } from './format.ts';
import type { Commit, DamageKind, OnDamage } from './location.ts';
import { RecordWalk, unread } from './walk.ts';

/** The end of the log in the newest segment. */
export interface Tail {
  readonly endLsn: Lsn;
  /** Everything below was said to be durable by a COMMIT; 0 when none spoke. */
  readonly provedLsn: Lsn;
  /** The last believed COMMIT, unless there is none from the start of this walk on. */
  readonly lastCommit: Commit | undefined;
  readonly damaged: boolean;
}

/** A batch that is complete as far as its heads tell. */
interface Candidate {
  readonly start: number;
  readonly end: number;
  readonly commit: Commit;
}

/** Throws the damage as `corrupt`. */
export const refuseDamage: OnDamage = ({ kind, segment, offset, lsn }) => {
  throw corruptAt(kind, segment, offset, lsn);
};

/**
 * Finds the end of the log in a segment, from `segment.endLsn` on, which must be a batch's end or the log's start.
 * `live` says that a writer may be appending meanwhile. Damage below *proved* is told, and the walk goes on behind it.
 * @throws {StoreError} corrupt, without `onDamage`; ioError
 */
export async function findTail(
  files: SegmentFiles,
  segment: Segment,
  live: boolean,
  onDamage: OnDamage | undefined,
): Promise<Tail> {
  let suspect: unknown;
  for (;;) {
    const fileBytes = await files.size(segment.number);
    const run = (tell: OnDamage): Promise<Tail> => new TailWalk(files, segment, fileBytes).run(tell);
    if (!live) return run(onDamage ?? refuseDamage);
    try {
      return await run(refuseDamage);
    } catch (error) {
      if (!isStoreError(error, 'corrupt')) throw error;
      // Beside a writer, a place read before it was written looks damaged once a later batch proves it. The same place
      // twice is damage: when its proof was seen, it had been written.
      if (error.details.offset === suspect) {
        if (onDamage === undefined) throw error;
        return run(onDamage);
      }
      suspect = error.details.offset;
    }
  }
}

class TailWalk {
  readonly #files: SegmentFiles;
  readonly #segment: Segment;
  readonly #fileBytes: number;
  readonly #walk: RecordWalk;
  readonly #batch: BatchCheck;
  #proved = 0;
  #lastCommit: Commit | undefined;
  #end: number;
  #candidates: Candidate[] = [];
  #damaged = false;

  constructor(files: SegmentFiles, segment: Segment, fileBytes: number) {
    this.#files = files;
    this.#segment = segment;
    this.#fileBytes = fileBytes;
    this.#walk = new RecordWalk(files, segment, fileBytes);
    this.#end = segment.endLsn - segment.baseLsn;
    this.#batch = new BatchCheck(segment, this.#end);
  }

  async run(onDamage: OnDamage): Promise<Tail> {
    await this.#hop(onDamage);
    await this.#verifyUnproved();
    const endLsn = brandNumber<Lsn>(Math.max(this.#segment.baseLsn + this.#end, this.#proved));
    const provedLsn = brandNumber<Lsn>(this.#proved);
    return { endLsn, provedLsn, lastCommit: this.#lastCommit, damaged: this.#damaged };
  }

  /** From head to head to the last one, over proved damage. */
  async #hop(onDamage: OnDamage): Promise<void> {
    const walk = this.#walk;
    let at = this.#batch.start;
    for (;;) {
      const now = walk.headNow(at);
      const head = now === unread ? await walk.head(at) : now;
      const fault = head === undefined ? 'recordHead' : this.#take(at, head);
      if (head !== undefined && fault === undefined) {
        at += head.recordBytes;
        continue;
      }
      const resume = await this.#provedResume(at, head === undefined ? at + 8 : at + head.recordBytes);
      if (resume === undefined) return;
      this.#damaged = true;
      this.#batch.excused = true;
      const lsn = lsnAt(this.#segment.baseLsn, at);
      onDamage({ kind: fault ?? 'batch', segment: this.#segment.number, offset: at, lsn, bytes: resume - at });
      at = resume;
      if (head !== undefined) this.#batch.restart(at);
    }
  }

  /** Counts a record in, and closes the batch at its COMMIT; says what is wrong with that. */
  #take(at: number, head: RecordHead): DamageKind | undefined {
    const batch = this.#batch;
    if (head.type !== commitType) {
      const { octets, at: inOctets } = this.#walk.header(at);
      batch.add(at, octets, inOctets);
      return undefined;
    }
    const { commit, agrees } = batch.close(at, this.#walk.fields(at, head));
    this.#proved = Math.max(this.#proved, commit.durableLsn);
    this.#candidates = this.#candidates.filter((known) => this.#settle(known));
    if (!agrees) return 'batch';
    const end = at + head.recordBytes;
    this.#candidates.push({ start: batch.start, end, commit });
    batch.restart(end);
    return undefined;
  }

  /** Believes a candidate that is proved; false when it needs no more looking at. */
  #settle(candidate: Candidate): boolean {
    if (this.#segment.baseLsn + candidate.end > this.#proved) return true;
    this.#end = candidate.end;
    this.#lastCommit = candidate.commit;
    return false;
  }

  /** Where the walk goes on behind a bad place, if a COMMIT further on proves that place; undefined when none does. */
  async #provedResume(bad: number, from: number): Promise<number | undefined> {
    // A walk of its own: this one's window stays where it is needed.
    const search = new RecordWalk(this.#files, this.#segment, this.#fileBytes);
    const resume = await search.findHead(from);
    for (let at = resume; at < search.end; ) {
      const head = await search.head(at);
      if (head === undefined) {
        at = await search.findHead(at + 8);
        continue;
      }
      const proof = head.type === commitType ? decodeCommit(search.fields(at, head)).commit.durableLsn : 0;
      if (proof > this.#segment.baseLsn + bad) return resume;
      at += head.recordBytes;
    }
    return undefined;
  }

  /** Reads the complete batches above *proved* whole; the first bad octet ends the log before its batch. */
  async #verifyUnproved(): Promise<void> {
    for (const { start, end, commit } of this.#candidates) {
      const walk = new RecordWalk(this.#files, this.#segment, end);
      for (let at = Math.max(start, this.#proved - this.#segment.baseLsn); at < end; ) {
        const head = await walk.head(at);
        if (head === undefined || (await walk.payload(at, head)) === undefined) return;
        at += head.recordBytes;
      }
      this.#end = end;
      this.#lastCommit = commit;
    }
  }
}
