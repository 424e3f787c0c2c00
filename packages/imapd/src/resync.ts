/**
 * Quick resynchronisation (RFC 7162 §3.2.5, §3.2.6): what a client that was away missed. Which UIDs went is known one by one above the
 * mailbox's expunge floor; who knows only an older state is told every UID that is not there.
 *
 * Told is only what is absent from the session's view: what goes while the session looks is told in updates.ts, with numbers
 * that move. All VANISHED lines come before the first FETCH.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { UidSet } from '@mstore/store';
import { tellChangedFlags } from './changed-entries.ts';
import { limits } from './limits.ts';
import type { Selected } from './selected.ts';
import type { Session } from './session.ts';
import { from, intersection, upTo } from './uid-ranges.ts';
import { VanishedLines } from './vanished-lines.ts';
import type { Range, View } from './view.ts';
import type { QuickResync } from './wire/mailbox-arguments.ts';

/** Tells what changed since the state that the client remembers of the mailbox just selected, of the same UIDVALIDITY. */
export async function resynchronise(session: Session, selected: Selected, remembered: QuickResync): Promise<void> {
  const { modSeq, knownUids, match } = remembered;
  const uids = upTo(knownUids?.resolve(0) ?? UidSet.range(1, selected.uidNext - 1), selected.uidNext - 1);
  const matched = match === undefined ? 0 : matchedUid(selected.view, match.numbers.resolve(0), match.uids.resolve(0));
  await tellVanished(session, selected, from(uids, matched + 1), modSeq);
  await tellChangedFlags(session, selected, { uids, since: modSeq, known: new Set() });
}

/** Tells which of some UIDs went after a MODSEQ, as far as they are not in the session's view. */
export async function tellVanished(session: Session, selected: Selected, uids: UidSet, modSeq: number): Promise<void> {
  const lines = new VanishedLines(session, true);
  let steps = 0;
  for (const range of (await candidates(session, selected, uids, modSeq)).ranges) {
    for (const gap of selected.view.gaps(range)) {
      await lines.add(gap);
      steps += 1;
      if (steps % limits.sliceEntries === 0) await turn();
    }
    steps += 1;
    if (steps % limits.sliceEntries === 0) await turn();
  }
  await lines.finish();
}

/** Of these UIDs, those that may have gone after a MODSEQ: what is remembered of expunges, or all where too much is, or too little. */
async function candidates({ services }: Session, { mailbox }: Selected, uids: UidSet, modSeq: number): Promise<UidSet> {
  const ranges: Range[] = [];
  for (let after: number = modSeq; ; ) {
    const catalog = services.reading.catalog();
    const row = catalog.mailbox(mailbox);
    if (row === undefined || modSeq < row.expungeFloor) return uids;
    let seen = 0;
    for (const [at, gone] of catalog.expunges(mailbox, after)) {
      ranges.push(...gone.ranges);
      after = at;
      seen += 1;
      if (seen === limits.sliceExpunges || ranges.length > limits.expungedRanges) break;
    }
    if (ranges.length > limits.expungedRanges) return uids;
    if (seen < limits.sliceExpunges) return intersection(UidSet.ofRanges(ranges), uids);
    await turn();
  }
}

/**
 * The largest UID of which a client knows the right message number, and so each expunge up to it; 0: none (RFC 7162 §3.2.5.2). Both sets
 * have the same size, and their n-th elements belong together.
 *
 * Along a run of pairs both numbers rise by one, while the view's UIDs rise by one or more: whether a pair is right can be
 * found by halving.
 */
export function matchedUid(view: View, numbers: UidSet, uids: UidSet): number {
  let [atNumber, atUid] = [numbers.ranges.length - 1, uids.ranges.length - 1];
  let [number, uid] = [numbers.ranges[atNumber]?.last ?? 0, uids.ranges[atUid]?.last ?? 0];
  for (let runs = 0; runs < limits.matchRuns; runs += 1) {
    const [ofNumber, ofUid] = [numbers.ranges[atNumber], uids.ranges[atUid]];
    if (ofNumber === undefined || ofUid === undefined) break;
    const length = Math.min(number - ofNumber.first, uid - ofUid.first) + 1;
    const found = lastRightPair(view, uid - number, number - length + 1, Math.min(number, view.count));
    if (found > 0) return found;
    number -= length;
    uid -= length;
    if (number < ofNumber.first) number = numbers.ranges[--atNumber]?.last ?? 0;
    if (uid < ofUid.first) uid = uids.ranges[--atUid]?.last ?? 0;
  }
  return 0;
}

/** The UID of the last message, by numbers first … last, whose UID is its number and `distance` more; 0 when there is none. */
function lastRightPair(view: View, distance: number, first: number, last: number): number {
  let [low, high] = [first, last];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (view.uidAt(middle) - middle <= distance) low = middle;
    else high = middle - 1;
  }
  return low <= high && view.uidAt(low) - low === distance ? low + distance : 0;
}
