/** Accounts that were removed and are kept for a while: found by the name they had. */
import { normalAddress } from '@mstore/directory';
import { accountsDeleted, type NamedAccount, type StoreReading } from '@mstore/store';

/** Those of that name, the last removed first. */
export function removedAccounts(reading: StoreReading, name: string, defaultDomain: string): NamedAccount[] {
  const catalog = reading.catalog();
  const wanted = new Set([name.normalize('NFC').toLowerCase()]);
  const address = normalAddress(name, defaultDomain === '' ? undefined : defaultDomain);
  if (address !== undefined) wanted.add(address);
  const found: NamedAccount[] = [];
  for (const id of accountsDeleted(catalog)) {
    const row = catalog.account(id);
    if (row !== undefined && wanted.has(row.name.toLowerCase())) found.push({ id, row });
  }
  return found.reverse();
}
