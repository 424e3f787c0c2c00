/** How commands come to the directory, and from a user of it to the account in the store. */
import {
  configuredDirectory,
  type Directory,
  DirectoryAdministration,
  directoryPath,
  formatAddress,
  isDirectoryError,
  type KnownIds,
  normalAddress,
  type User,
  type UserId,
  userId,
} from '@mstore/directory';
import {
  type AccountId,
  brandNumber,
  isStore,
  machinePorts,
  type NamedAccount,
  StoreError,
  type StoreReading,
  type WorkingStore,
} from '@mstore/store';
import { findAccount } from './access.ts';
import type { Run } from './command.ts';
import { CommandError, exit } from './errors.ts';
import { isThere } from './file-tree.ts';

const pathOf = (run: Run): string => directoryPath(run.directory);

/** Makes an empty directory; false where one is. */
export async function makeDirectory(run: Run): Promise<boolean> {
  if (await isThere(pathOf(run))) return false;
  await (await DirectoryAdministration.create(pathOf(run))).close();
  return true;
}

/** The directory, which opens its file when it is asked: one that is missing is `unavailable`. */
export async function openDirectory(run: Run): Promise<Directory> {
  const { config } = await run.config();
  return configuredDirectory(run.directory, config);
}

/** An address from the command line; a name without domain is one in the default domain. What is no address stays as it is. */
export async function addressGiven(run: Run, given: string): Promise<string> {
  const { config } = await run.config();
  const { defaultDomain } = config.login;
  return given === '' || given.includes('@') || defaultDomain === '' ? given : `${given}@${defaultDomain}`;
}

/** As `addressGiven`, for an address that is there already: also as lists show it, without the quotes that its local part may need. */
export async function addressShown(run: Run, given: string): Promise<string> {
  const address = await addressGiven(run, given);
  return address.includes('@') && normalAddress(address) === undefined ? formatAddress(address) : address;
}

/** The user of that name, also as lists and the store show it: without the quotes that the local part may need. */
export async function userNamed(directory: Directory, given: string): Promise<User | undefined> {
  const user = await directory.userNamed(given);
  return user ?? (given.includes('@') ? directory.userNamed(formatAddress(given)) : undefined);
}

/** @throws {StoreError} noAccount */
export async function existingUser(run: Run, given: string): Promise<User> {
  const user = await withDirectory(run, (directory) => userNamed(directory, given));
  if (user === undefined) throw new StoreError('noAccount', `no user ${given}`);
  return user;
}

/** Runs `work` with the directory, for questions. @throws CommandError systemFile, where it is missing */
export async function withDirectory<T>(run: Run, work: (directory: Directory) => Promise<T>): Promise<T> {
  await checkThere(run);
  const directory = await openDirectory(run);
  try {
    return await work(directory);
  } finally {
    await directory.close();
  }
}

/** Runs `work` with the directory, for changes and lists. */
export async function withAdministration<T>(
  run: Run,
  work: (administration: DirectoryAdministration) => Promise<T>,
): Promise<T> {
  await checkThere(run);
  const { config } = await run.config();
  const { detailSeparator } = config.delivery;
  const administration = await DirectoryAdministration.open(pathOf(run), { detailSeparator });
  try {
    return await work(administration);
  } finally {
    await administration.close();
  }
}

/** What the store knows of user ids, so that whoever is added gets their own mail and nobody else's. */
export function knownIds(reading: StoreReading): KnownIds {
  return {
    idOf: (address) => reading.catalog().accountNamed(address)?.id,
    idAbove: reading.catalog().state()?.account ?? 0,
  };
}

/** The user's account, if mail came for it or somebody logged in; one of the same number but another name is not the user's. */
export function accountOfUser(reading: StoreReading, user: User): NamedAccount | undefined {
  const account = reading.catalog().accountNamed(user.address);
  return account?.id === accountId(user) ? account : undefined;
}

/** The account's number, which is the user's. */
function accountId(user: User): AccountId {
  return brandNumber<AccountId>(user.id);
}

/** The account's number of a user's. */
export function accountNumber(id: UserId): AccountId {
  return brandNumber<AccountId>(id);
}

/** The number of the account's user, which is the account's. */
export function userOfAccount(id: AccountId): UserId {
  return userId(id);
}

/** The user's account, made unless it is there. @throws {StoreError} accountExists, noAccount, badName */
export async function ensureAccount({ writer }: WorkingStore, user: User): Promise<AccountId> {
  const { address: name, quotaBytes, quotaMessages } = user;
  return (await writer.ensureAccount({ id: accountId(user), name, quotaBytes, quotaMessages })).account;
}

/**
 * The account to write to for a user of the directory, or one that only the store knows: made before there was a directory,
 * or left by one that was lost. @throws {StoreError} noAccount @throws {DirectoryError} unavailable, where neither is known
 */
export async function openAccount(run: Run, store: WorkingStore, given: string): Promise<AccountId> {
  const found = await lookUp(run, given);
  if (found.user !== undefined) return ensureAccount(store, found.user);
  const { config } = await run.config();
  const account = findAccount(store.reading.catalog(), given, config.login.defaultDomain);
  if (account !== undefined) return account.id;
  throw found.problem ?? new StoreError('noAccount', `no user ${given}`);
}

/** The user of that name; or why that cannot be told. */
async function lookUp(
  run: Run,
  given: string,
): Promise<{ readonly user?: User | undefined; readonly problem?: Error }> {
  try {
    return { user: await withDirectory(run, (directory) => userNamed(directory, given)) };
  } catch (error) {
    if (error instanceof CommandError || isDirectoryError(error, 'unavailable')) return { problem: error };
    throw error;
  }
}

/** @throws CommandError systemFile where it is missing @throws {StoreError} noStore where all is */
export async function checkThere(run: Run): Promise<void> {
  if (await isThere(pathOf(run))) return;
  const { directory } = run;
  if (!(await isStore(machinePorts.fs, directory))) throw new StoreError('noStore', `no store in ${directory}`);
  throw new CommandError(
    exit.systemFile,
    `${pathOf(run)} is missing: bring it back, or let \`mstore init\` make an empty one`,
  );
}
