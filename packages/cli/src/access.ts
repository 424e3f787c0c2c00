/** How commands come to a store, and find in it what a person named. */
import { normalAddress } from '@mstore/directory';
import {
  type Catalog,
  errorText,
  isStoreError,
  mailboxName,
  type NamedAccount,
  type NamedMailbox,
  readFrom,
  StoreError,
  type StoreReading,
  storeOptions,
  type WorkingStore,
  workOn,
} from '@mstore/store';
import type { Run } from './command.ts';
import { CommandError, exit } from './errors.ts';

/** Runs `work` with access for changes: as the writer, or through the one that runs. */
export async function withWriter<T>(run: Run, work: (store: WorkingStore) => Promise<T>): Promise<T> {
  const store = await workOn(run.directory, storeOptions((await run.config()).config));
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Runs `work` with access for reading. Nobody is kept from writing meanwhile. */
export async function withReading<T>(run: Run, work: (reading: StoreReading) => Promise<T>): Promise<T> {
  const reading = await readFrom(run.directory, storeOptions((await run.config()).config));
  try {
    return await work(reading);
  } finally {
    await reading.close();
  }
}

/** The account of that name: as it stands, as an address in the directory's form, or as a name in the default domain. */
export function findAccount(catalog: Catalog, name: string, defaultDomain = ''): NamedAccount | undefined {
  const address = normalAddress(name, defaultDomain === '' ? undefined : defaultDomain);
  return (
    catalog.accountNamed(name.normalize('NFC')) ?? (address === undefined ? undefined : catalog.accountNamed(address))
  );
}

/** @throws {StoreError} noAccount */
export function accountOf(catalog: Catalog, name: string, defaultDomain = ''): NamedAccount {
  const account = findAccount(catalog, name, defaultDomain);
  if (account === undefined) throw new StoreError('noAccount', `no account ${name}`);
  return account;
}

/** @throws CommandError noInput */
export function mailboxOf(catalog: Catalog, account: NamedAccount, name: string): NamedMailbox {
  const mailbox = catalog.mailboxNamed(account.id, checkedName(name));
  if (mailbox === undefined) {
    throw new CommandError(exit.noInput, `account ${account.row.name} has no mailbox ${name}`);
  }
  return mailbox;
}

/** A mailbox name from the command line, as the store keeps it. @throws CommandError usage */
export function checkedName(name: string): string {
  try {
    return mailboxName(name);
  } catch (error) {
    if (isStoreError(error, 'badName')) throw new CommandError(exit.usage, `mailbox ${name}: ${errorText(error)}`);
    throw error;
  }
}
