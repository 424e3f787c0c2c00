/**
 * The segments that a heap believes, those that headers list, and those on their way out. Changed only after octets are durable.
 *
 * Invariant: `listed` holds at least what the newest durable header lists. A file is dropped only when it is not in there.
 */
import { brandNumber, type Lsn } from '../types.ts';
import { type Chain, type Segment, stateOf } from './chain.ts';
import type { ListedSegment } from './format.ts';
import type { DamageKind, SegmentState } from './location.ts';
import { indexBelow, lastOf, lostOf } from './open.ts';
import type { ScanView } from './scanner.ts';

const noLsn = brandNumber<Lsn>(0);

export class Believed {
  /** Rising; never empty. */
  #segments: Segment[];
  /** What the newest header lists, and itself, with their ends: what the next one has to list. */
  #listed: Map<number, Lsn>;
  /** Listed segments that cannot be read. */
  #lost: Map<number, DamageKind>;
  /** Segments that no further header lists, though they can still be read. */
  readonly #retired: Set<number> = new Set();

  constructor(segments: readonly Segment[], listed: ReadonlyMap<number, Lsn>, found: Parameters<typeof lostOf>[0]) {
    this.#segments = [...segments];
    const { number, endLsn } = lastOf(this.#segments);
    this.#listed = new Map(listed).set(number, endLsn);
    this.#lost = lostOf(found);
  }

  get newest(): Segment {
    return lastOf(this.#segments);
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  states(): readonly SegmentState[] {
    return this.#segments.map(stateOf);
  }

  /** What a scan goes through: without retired segments. */
  scanView(): ScanView {
    const lost = [...this.#lost]
      .filter(([number]) => !this.#retired.has(number))
      .map(([segment, kind]) => {
        const damage = { kind, segment, offset: 0, lsn: noLsn, bytes: 0 };
        return { damage, endLsn: this.#listed.get(segment) ?? noLsn };
      });
    return { segments: this.#segments.filter(({ number }) => !this.#retired.has(number)), lost };
  }

  holding(lsn: Lsn): Segment | undefined {
    const segment = this.#segments[indexBelow(this.#segments, lsn)];
    if (segment === undefined || lsn < segment.baseLsn + segment.headerBytes) return undefined;
    return lsn < segment.endLsn ? segment : undefined;
  }

  isListed(number: number): boolean {
    return this.#listed.has(number);
  }

  isRetired(number: number): boolean {
    return this.#retired.has(number);
  }

  /** What the next header has to list. */
  stillListed(): ListedSegment[] {
    const listed = [...this.#listed].map(([number, endLsn]) => ({ number, endLsn }));
    return listed.filter(({ number }) => !this.#retired.has(number));
  }

  retire(number: number): void {
    this.#retired.add(number);
  }

  forget(number: number): void {
    this.#segments = this.#segments.filter((segment) => segment.number !== number);
    this.#listed.delete(number);
    this.#lost.delete(number);
    this.#retired.delete(number);
  }

  /** Segments that a commit changed or began, rising. */
  publish(segments: readonly Segment[]): void {
    let isNew = false;
    for (const segment of segments) {
      const { newest } = this;
      if (segment.number === newest.number) this.#segments[this.#segments.length - 1] = segment;
      else {
        this.#segments[this.#segments.length - 1] = { ...newest, liveSegments: [] };
        this.#segments.push(segment);
        isNew = true;
      }
      this.#listed.set(segment.number, segment.endLsn);
    }
    if (!isNew) return;
    // By its header, which was planned when the batch began, and not by what was retired since.
    const listed = new Set([...this.newest.liveSegments, this.newest.number]);
    for (const number of [...this.#listed.keys()]) if (!listed.has(number)) this.#listed.delete(number);
  }

  /** What a reader found when it looked again. */
  replace(segments: readonly Segment[], chain: Chain, retired: readonly number[]): void {
    this.#segments = [...segments];
    this.#listed = new Map(chain.listed);
    this.#lost = lostOf(chain);
    for (const number of retired) this.#retired.add(number);
  }
}
