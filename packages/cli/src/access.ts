/** How commands come to a store, and find in it what a person named. */
import {
  type Catalog,
  errorText,
  isStoreError,
  mailboxName,
  type NamedAccount,
  type NamedMailbox,
  readFrom,
  Store,
  StoreError,
  type StoreOptions,
  StoreReader,
  type StoreReading,
  type WorkingStore,
  workOn,
} from '@mstore/store';
import { normalAccountName } from './account-name.ts';
import type { Run } from './command.ts';
import { CommandError, exit } from './errors.ts';

/** What the configuration says about opening a store. */
async function storeOptions(run: Run): Promise<StoreOptions> {
  const { config } = await run.config();
  return { messageBytes: config.limits.messageBytes, segmentBytes: config.heap.segmentBytes };
}

/** Runs `work` with access for changes: as the writer, or through the one that runs. */
export async function withWriter<T>(run: Run, work: (store: WorkingStore) => Promise<T>): Promise<T> {
  const store = await workOn(run.directory, await storeOptions(run));
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Runs `work` with access for reading. Nobody is kept from writing meanwhile. */
export async function withReading<T>(run: Run, work: (reading: StoreReading) => Promise<T>): Promise<T> {
  const reading = await openForReading(run.directory, await storeOptions(run));
  try {
    return await work(reading);
  } finally {
    await reading.close();
  }
}

/** Opens beside the writer. Where none runs and the last one did not finish its work, recovers first. */
async function openForReading(directory: string, options: StoreOptions): Promise<StoreReading> {
  const reader = await StoreReader.open(directory, options);
  const state = reader.catalog().state();
  if (state?.appliedLsn === reader.heap.durableLsn) return reader;
  await reader.close();
  const reading = await readFrom(directory, options);
  if (!(reading instanceof Store)) return reading;
  // Recovered: go on without the lock, so that others can write while we read.
  await reading.close();
  return StoreReader.open(directory, options);
}

/** The account of that name; one that was not made by a command may also bear it as it was given. */
export function findAccount(catalog: Catalog, name: string): NamedAccount | undefined {
  return catalog.accountNamed(normalAccountName(name)) ?? catalog.accountNamed(name.normalize('NFC'));
}

/** @throws {StoreError} noAccount */
export function accountOf(catalog: Catalog, name: string): NamedAccount {
  const account = findAccount(catalog, name);
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
