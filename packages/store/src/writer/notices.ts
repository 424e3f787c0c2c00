/** What a store's writer tells of itself: what it does about a disk that fills up or fails, and when that is over. */
import type { SpaceLevel } from './room.ts';

export type StoreNotice =
  /** The catalog is being made again from the heap, which may take long. */
  | { readonly kind: 'rebuilding'; readonly why: string }
  | { readonly kind: 'rebuilt'; readonly generation: number; readonly entries: number }
  /** Another level of space; `freeBytes` without what the reserve is short of. */
  | { readonly kind: 'space'; readonly level: SpaceLevel; readonly freeBytes: number }
  /** The reserve was given to those who make space, or is whole again. */
  | { readonly kind: 'reserve'; readonly state: 'released' | 'whole'; readonly bytes: number }
  /** Writes or syncs of the heap failed, `count` of them since the last such notice. */
  | { readonly kind: 'deviceErrors'; readonly count: number; readonly why: string }
  /** Changes are refused after two of them in a row, or taken again. */
  | { readonly kind: 'device'; readonly takesChanges: boolean; readonly why: string };

/** How the writer is, now. */
export interface StoreHealth {
  readonly space: SpaceLevel;
  /** Octets free to the store without what the reserve is short of; undefined while unknown. */
  readonly freeBytes: number | undefined;
  readonly reserveBytes: number;
  /** Writes and syncs of the heap that failed, a full disk apart, since the writer was opened. */
  readonly deviceErrors: number;
  /** False while changes are refused after device errors. */
  readonly takesChanges: boolean;
  /** ms for which the catalog's transaction under way has been running; 0 when none is. */
  readonly catalogMs: number;
}
