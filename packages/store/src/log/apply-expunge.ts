/** The memory of expunges: which UIDs went at which MODSEQ, above the mailbox's floor (RFC 7162 VANISHED). */
import { keyOctets, prefixEnd, readU64 } from '../catalog/keys.ts';
import { dueExpungeTable, expungedTable, mailboxTable } from '../catalog/schema.ts';
import type { View } from '../catalog/write-set.ts';
import type { UidSet } from '../codec/uid-set.ts';
import { brandNumber, type MailboxId, type ModSeq } from '../types.ts';

/** Keeps which UIDs went at that MODSEQ, and when, in seconds since 1970. */
export function rememberExpunge(view: View, id: MailboxId, modSeq: ModSeq, uids: UidSet, time: number): void {
  view.put(expungedTable, { uids, expungedAt: time }, id, modSeq);
  view.put(dueExpungeTable, 1, time, id, modSeq);
}

/** Expunges up to `floor` are forgotten: a client that knows only older MODSEQs compares everything. */
export function raiseFloor(view: View, id: MailboxId, floor: ModSeq): void {
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined || floor <= mailbox.expungeFloor) return;
  mailbox.expungeFloor = floor;
  forgetExpunges(view, id, floor);
}

export function forgetExpunges(view: View, id: MailboxId, last: number): void {
  const from = keyOctets(expungedTable.key(id, brandNumber<ModSeq>(0)));
  const to = last === Number.MAX_SAFE_INTEGER ? prefixEnd(from.subarray(0, 5)) : behind(id, last);
  for (const [key, row] of [...view.range(expungedTable, { from, to })]) {
    const modSeq = brandNumber<ModSeq>(readU64(key, 4));
    view.remove(expungedTable, id, modSeq);
    view.remove(dueExpungeTable, row.expungedAt, id, modSeq);
  }
}

function behind(id: MailboxId, modSeq: number): Buffer {
  return keyOctets(expungedTable.key(id, brandNumber<ModSeq>(modSeq + 1)));
}
