/**
 * What a session is told without having asked (RFC 9051 §5.2, §7.4, §7.5): the one place that says EXISTS, RECENT, EXPUNGE and
 * VANISHED (RFC 7162 §3.2.10) to a session that has a mailbox selected.
 *
 * A session knows its mailbox as a view: which UIDs are there, in order. What it may be told is the difference between that view and
 * the catalog now, never a list of what happened in between; so nothing can be told twice or be missed, whoever made the
 * changes and however the news came.
 *
 *     view  --- EXPUNGE for each UID that is gone --->  --- EXISTS if there are new ones --->  view'
 *
 * * Numbers are those of the view at the moment of the line. Expunges go from the largest number down, so that each is right
 *   whether the client counts before or after the line.
 * * A UID below the view's UIDNEXT that is new (there is none: UIDs only rise) would break the client's numbers; new messages
 *   stand behind all others by construction.
 * * After a line was given to the connection the view has it: the two change in one turn of the event loop.
 * * EXPUNGE is told only at the end of commands that allow it (RFC 9051 §7.5.1): whoever calls says so. Until then the
 *   message keeps its number. Nothing else is told meanwhile, and who wants MODSEQs hears up to which one all was told: a
 *   client that goes away then has missed nothing (RFC 7162 §3.2.4).
 * * A snapshot of the catalog is read in one turn; lines of many expunges are sent in slices, from views that do not change.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type MailboxRow, UidSet } from '@mstore/store';
import { tellChangedFlags } from './changed-entries.ts';
import { toldKeywords } from './keywords.ts';
import { limits } from './limits.ts';
import { highestModSeqLine } from './mod-seqs.ts';
import type { Selected } from './selected.ts';
import type { Session } from './session.ts';
import { upTo } from './uid-ranges.ts';
import { VanishedLines } from './vanished-lines.ts';
import type { View } from './view.ts';

/** Tells what changed in the selected mailbox since the last time; nothing that changes numbers where those must stay. What it
 *  returns, if anything, must be awaited. */
export function tellChanges(session: Session, keepsNumbers: boolean = false): Promise<void> | undefined {
  const { selected, services } = session;
  if (selected === undefined || session.isOver) return undefined;
  const catalog = services.reading.catalog();
  const row = catalog.mailbox(selected.mailbox);
  if (row === undefined || row.deleted) {
    // Goodbye is said behind the answer to the command.
    session.end = 'deleted';
    session.isOver = true;
    return undefined;
  }
  if (row.highestModSeq === selected.modSeq) return undefined;
  const now = services.views.of(catalog, selected.mailbox, row);
  if (keepsNumbers && !selected.view.isWithin(now)) {
    return session.wantsModSeqs ? session.say(highestModSeqLine(selected.modSeq)) : undefined;
  }
  toldKeywords(catalog, selected, (lines) => session.say(lines));
  const { mailbox, modSeq: from, uidNext: below, ownSequences } = selected;
  const own = new Set(ownSequences);
  const heard = services.news.changed(mailbox, from, row.highestModSeq, own);
  // Before anything else is heard: what comes from now on is heard again.
  if (heard === undefined) services.news.looked(mailbox, row.highestModSeq);
  return tell(session, selected, row, now, { from, own, below, heard });
}

async function tell(session: Session, selected: Selected, row: MailboxRow, now: View, told: Told): Promise<void> {
  const before = selected.view;
  selected.view = now;
  selected.modSeq = row.highestModSeq;
  selected.modSeqFloor = row.modSeqFloor;
  selected.uidNext = row.uidNext;
  selected.ownSequences.clear();
  if (!before.isWithin(now)) await tellGone(session, before, now);
  if (told.heard?.size !== 0) await tellFlags(session, selected, told);
  if (now.largestUid >= told.below) await session.say(existsLines(session, selected));
}

interface Told {
  /** The MODSEQ up to which flags were told. */
  readonly from: number;
  readonly own: ReadonlySet<number>;
  /** Messages with a smaller UID are known to the client. */
  readonly below: number;
  /** Messages whose flags changed, by what the feed said; undefined: they are to be looked for. */
  readonly heard: UidSet | undefined;
}

/** Flags that changed, of messages that the client knows: from what the feed said, or else by looking at the entries. */
async function tellFlags(session: Session, selected: Selected, { from, own, below, heard }: Told): Promise<void> {
  // Of new messages the client hears by EXISTS, behind this.
  const uids = heard === undefined ? UidSet.range(1, below - 1) : upTo(heard, below - 1);
  await tellChangedFlags(session, selected, { uids, since: from, known: own });
}

function tellGone(session: Session, before: View, now: View): Promise<void> {
  return session.wantsVanished ? tellVanished(session, before, now) : tellExpunged(session, before, now);
}

async function tellExpunged(session: Session, before: View, now: View): Promise<void> {
  const lines = session.encoder();
  for (let page = before.pages.length - 1; page >= 0; page -= 1) {
    const ranges = before.goneOf(page, now);
    for (let at = ranges.length - 1; at >= 0; at -= 1) {
      const { first, last } = ranges[at] ?? { first: 1, last: 0 };
      let number = before.numberOf(last);
      for (let uid = last; uid >= first; uid -= 1, number -= 1) lines.raw(`* ${number} EXPUNGE\r\n`);
    }
    if (lines.bytes < limits.answerBytes) continue;
    await session.say(lines.take());
    await turn();
  }
  await session.say(lines.take());
}

async function tellVanished(session: Session, before: View, now: View): Promise<void> {
  const lines = new VanishedLines(session, false);
  for (let page = 0; page < before.pages.length; page += 1) {
    for (const range of before.goneOf(page, now)) await lines.add(range);
  }
  await lines.finish();
}

/** How many messages there are, and to clients of IMAP4rev1 how many of them are recent; those that came since the last time are,
 *  unless another session was told so before. */
export function existsLines({ services, isRev2 }: Session, selected: Selected): string {
  const { mailbox, view, uidNext, isReadOnly } = selected;
  if (isRev2) return `* ${view.count} EXISTS\r\n`;
  const floor = services.recent[isReadOnly ? 'floor' : 'claim'](mailbox, uidNext);
  if (floor < uidNext - 1) {
    selected.recent = UidSet.ofRanges([...selected.recent.ranges, { first: floor + 1, last: uidNext - 1 }]);
  }
  let recent = 0;
  for (const { first, last } of selected.recent.ranges) recent += view.countUpTo(last) - view.countUpTo(first - 1);
  return `* ${view.count} EXISTS\r\n* ${recent} RECENT\r\n`;
}
