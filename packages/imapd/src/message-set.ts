/** The messages that a command names, as UIDs of the session's view (RFC 9051 §6.4.9, §9 seq-range). */
import type { UidSet } from '@mstore/store';
import { RefusedError, refusals } from './errors.ts';
import type { Selected } from './selected.ts';
import type { Session } from './session.ts';
import { upTo } from './uid-ranges.ts';
import type { MessageSet } from './wire/sequence-set.ts';

/** What numbers a command speaks in. */
export type Numbering = 'sequence' | 'uid';

/** The selected mailbox, where there is one by the state of the session. */
export function selectedOf(session: Session): Selected {
  const { selected } = session;
  if (selected === undefined) throw new RefusedError(refusals.selectFirst);
  return selected;
}

/**
 * The UIDs as ranges, which may hold UIDs that are not in the view, but none above it: what came since is not named.
 * @throws {RefusedError} noSuchNumber
 */
export function namedUids(selected: Selected, set: MessageSet, numbering: Numbering): UidSet {
  const { view, saved, uidNext } = selected;
  if (set === 'saved') return saved;
  if (numbering === 'sequence') {
    if (set.largestNamed > view.count || (set.hasStar && view.count === 0))
      throw new RefusedError(refusals.noSuchNumber);
    return view.uidsOf(set.resolve(view.count));
  }
  return upTo(set.resolve(view.largestUid), uidNext - 1);
}
