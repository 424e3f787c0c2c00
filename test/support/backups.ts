/** What tests of backups share: a store's numbers as clients see them, none of which may come to name something else. */
import type { StoreReading } from '@mstore/store';

/** Every number of a store that names something to a client, with what it names. */
export function toldNumbers(reading: Pick<StoreReading, 'catalog'>): Map<string, string> {
  const catalog = reading.catalog();
  const told = new Map<string, string>();
  for (const { id, row } of catalog.allMailboxes()) {
    told.set(`mailbox id ${id}`, `${row.account} created ${row.createdAt}`);
    told.set(`mailbox ${row.account} ${row.name} uidvalidity ${row.uidValidity}`, `mailbox ${id}`);
    for (const entry of catalog.entries(id)) {
      const sha = catalog.message(entry.message)?.sha.toString('hex') ?? '';
      told.set(`uid ${row.account} ${row.name} ${row.uidValidity} ${entry.uid}`, sha);
      told.set(`email ${row.account} ${entry.email}`, sha);
    }
  }
  return told;
}
