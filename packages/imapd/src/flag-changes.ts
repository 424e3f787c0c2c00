/**
 * Has the writer change flags for a session, in requests that it decides at one stroke: each becomes one event, whose sequence the
 * session remembers, so that it is not told again what it did itself.
 */
import { limits as storeLimits, UidSet } from '@mstore/store';
import { limits } from './limits.ts';
import type { NamedFlags } from './responses/flags.ts';
import type { Selected } from './selected.ts';
import type { Session } from './session.ts';

export interface WantedFlags extends NamedFlags {
  readonly mode: 'add' | 'remove' | 'replace';
  /** What changed after this MODSEQ stays as it is. */
  readonly unchangedSince: number | undefined;
}

export interface ChangedFlags {
  readonly changed: UidSet;
  /** What UNCHANGEDSINCE kept from changing. */
  readonly modified: UidSet;
  /** What is changed, and others had changed without the client having been told. */
  readonly surprising: UidSet;
}

/** Changes the flags of those messages of the view that have one of these UIDs. Durable on return.
 *  @throws {StoreError} what `setFlags` throws; some may be changed by then */
export async function changeFlags(
  { services }: Session,
  selected: Selected,
  uids: UidSet,
  { mode, flags, keywords, unchangedSince }: WantedFlags,
): Promise<ChangedFlags> {
  const changed: UidSet[] = [];
  const modified: UidSet[] = [];
  const surprising: UidSet[] = [];
  const ask = async (some: readonly number[]): Promise<void> => {
    const answer = await services.writer.setFlags({
      mailbox: selected.mailbox,
      uids: UidSet.of(some),
      mode,
      flags,
      keywords,
      knownModSeq: selected.modSeq,
      ...(unchangedSince !== undefined && { unchangedSince }),
    });
    changed.push(answer.changed);
    modified.push(answer.modified);
    surprising.push(answer.surprising);
    if (answer.changed.size > 0) selected.ownSequences.add(answer.sequence);
  };
  let asked: Promise<void>[] = [];
  try {
    for (const some of slicesOf(selected, uids)) {
      asked.push(ask(some));
      if (asked.length < limits.requestsAhead) continue;
      await settled(asked);
      asked = [];
    }
    await settled(asked);
  } catch (error) {
    // Nothing of what is changed by then is answered: it is told as what others change.
    selected.ownSequences.clear();
    throw error;
  }
  return { changed: union(changed), modified: union(modified), surprising: union(surprising) };
}

function* slicesOf({ view }: Selected, uids: UidSet): Generator<readonly number[]> {
  let slice: number[] = [];
  for (const [, uid] of view.messages(uids)) {
    slice.push(uid);
    if (slice.length < storeLimits.sliceEntries) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}

/** Waits for all, and then fails as the first that failed. */
async function settled(asked: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(asked)) if (result.status === 'rejected') throw result.reason;
}

function union(sets: readonly UidSet[]): UidSet {
  return UidSet.ofRanges(sets.flatMap(({ ranges }) => ranges));
}
