/**
 * Messages that a session listed a while ago: since then their records may have been moved by compaction, and they themselves expunged by
 * others, purged, and their octets given back. What is gone so is no damage.
 */
import type { Catalog } from '../catalog/catalog.ts';
import type { EntryPlace } from '../catalog/index-chunk.ts';
import { isStoreError, StoreError } from '../errors.ts';
import type { MailboxId } from '../types.ts';
import type { StoredMessage } from './assemble.ts';

/** What it needs of a store. */
export interface Opening {
  catalog(): Catalog;
  open(entry: EntryPlace): Promise<StoredMessage>;
}

/** Opens the message that had a UID in a mailbox and lay at a place. @throws {StoreError} corrupt; noMessage: gone for good */
export async function openListed(
  store: Opening,
  mailbox: MailboxId,
  uid: number,
  place: EntryPlace,
): Promise<StoredMessage> {
  try {
    return await store.open(place);
  } catch (error) {
    if (!isStoreError(error, 'corrupt')) throw error;
    const now = store.catalog().entryOrRetained(mailbox, uid)?.entry;
    if (now === undefined) throw new StoreError('noMessage', `UID ${uid} of mailbox ${mailbox} is gone`, {}, error);
    if (now.lsn === place.lsn) throw error;
    return store.open(now);
  }
}
