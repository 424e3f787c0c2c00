/**
 * Which messages an EXPUNGE means (RFC 9051 §6.4.3), found out here: the writer, who serves everybody, is asked about these alone, and not
 * about a whole mailbox for the sake of one.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { flag, isStoreError, type MailboxId, UidSet } from '@mstore/store';
import { limits } from './limits.ts';
import type { Services } from './services.ts';
import { intersection } from './uid-ranges.ts';

/** Expunges those of `uids` that bear `\Deleted`; false where there was none, or the mailbox itself is gone. */
export async function expungeDeleted(services: Services, mailbox: MailboxId, uids: UidSet): Promise<boolean> {
  const deleted = await deletedUids(services, mailbox, uids);
  if (deleted.size === 0) return false;
  try {
    return (await services.writer.expunge(mailbox, deleted, true)).expunged.size > 0;
  } catch (error) {
    // The session learns of that in its own way.
    if (!isStoreError(error, 'noMailbox')) throw error;
    return false;
  }
}

/** Those of `uids` that bear `\Deleted`. */
async function deletedUids({ reading }: Services, mailbox: MailboxId, uids: UidSet): Promise<UidSet> {
  const row = reading.catalog().mailbox(mailbox);
  const found: number[] = [];
  for (let first = 1; row !== undefined && first < row.uidNext; first += limits.turnUids) {
    if (found.length === row.flaggedDeleted) break;
    if (first > 1) await turn();
    const slice = intersection(uids, UidSet.range(first, first + limits.turnUids - 1));
    // One by one: they may be more than a call should have arguments.
    for (const uid of reading.catalog().uidsWith(mailbox, slice, flag.deleted)) found.push(uid);
  }
  return UidSet.of(found);
}
