/**
 * Which segments are worth compacting. Garbage is what need not be written again: dead octets, EVENTs and COMMITs, headers. RESTATEs of
 * flags, tombstones and the like are not counted as garbage: mostly they would only be written again.
 */
import type { Catalog } from '../catalog/catalog.ts';
import type { SegmentState } from '../heap/location.ts';

export interface Victim {
  readonly segment: number;
  /** Octets of its log. */
  readonly bytes: number;
  readonly garbageBytes: number;
  /** Chosen for its size alone. */
  readonly isSmall: boolean;
}

export interface VictimRules {
  /** The least share of garbage, 0 to 1. */
  readonly minGarbage: number;
  readonly segmentBytes: number;
}

/** A segment that needs less than this share of one is small. */
const smallShare = 1 / 8;
/** So many small ones are worth joining: each crash leaves one. */
const smallsMin = 4;

/** The segments worth it, the one with the greatest share of garbage first; never the last of `segments`. */
export function victimsOf(catalog: Catalog, segments: readonly SegmentState[], rules: VictimRules): Victim[] {
  const all: Victim[] = [];
  const small: Victim[] = [];
  for (const { number, baseLsn, endLsn } of segments.slice(0, -1)) {
    const row = catalog.segment(number);
    if ((row?.retiredAt ?? 0) > 0) continue;
    const bytes = endLsn - baseLsn;
    const needed = (row?.live ?? 0) + (row?.restated ?? 0);
    const garbageBytes = Math.max(0, bytes - needed);
    const victim = { segment: number, bytes, garbageBytes, isSmall: false };
    // An empty one has nothing to keep.
    if (garbageBytes > 0 && garbageBytes >= rules.minGarbage * bytes) all.push(victim);
    else if (needed < smallShare * rules.segmentBytes) small.push({ ...victim, isSmall: true });
  }
  all.sort((a, b) => b.garbageBytes / b.bytes - a.garbageBytes / a.bytes);
  return small.length >= smallsMin ? [...all, ...small] : all;
}
