/** `mstore user` and `mstore passwd` */
import { formatAddress, isDirectoryError, normalAddress, type User } from '@mstore/directory';
import { type NamedAccount, parseBytes, retainedUntil, StoreError, type StoreReading } from '@mstore/store';
import { type Command, InvalidArgumentError } from 'commander';
import { findAccount, withReading, withWriter } from './access.ts';
import { type Run, works } from './command.ts';
import {
  accountNumber,
  accountOfUser,
  addressGiven,
  existingUser,
  knownIds,
  userNamed,
  userOfAccount,
  withAdministration,
  withDirectory,
} from './directory.ts';
import { CommandError, exit } from './errors.ts';
import { newPassword } from './password-input.ts';
import { counted, humanTime, safeText, table } from './text.ts';
import { retentionOption } from './time-option.ts';
import { importManual, importUsers } from './user-import.ts';
import { listManual, listUsers } from './user-list.ts';
import { retentionShown, retentionText, type SetOptions, setManual, setUser } from './user-set.ts';
import { bytesText, countText, findUsage } from './user-usage.ts';

const addManual = `
Adds a user to the directory, with the domain if it is new. ADDRESS is the login, and mail for it is taken from now on; letter
case does not matter, and a domain is the same in its own letters and as xn--. The password is asked for on a terminal, else
read as one line from standard input. Without a quota, or with 0, mail is unlimited.

The account, with INBOX, Drafts, Sent, Junk, Trash and Archive, is made at the first delivery or login. Where the store has an
account of that name already, the user gets it, mail included.`;

const removeManual = `
Removes the user from the directory, so that no more mail is taken, then the account: its mail counts as expunged. For the
retention time "mstore undelete --user ADDRESS" brings both back. A user added later under the same address is another, with no
mail. Where the command did not finish, do it again. An account that the directory does not know is removed by its name.`;

const passwdManual = `
The new password is asked for on a terminal, else read as one line from standard input. It counts at once; sessions go on.`;

interface AddOptions {
  readonly quota?: number;
  readonly quotaMessages?: number;
  readonly password: boolean;
}

export function addUser(program: Command): void {
  const user = program.command('user').description('users and their accounts');
  const named = (name: string, description: string): Command =>
    user.command(name).description(description).argument('<address>', "the user's address");
  const add = named('add', 'add a user').addHelpText('after', addManual);
  add.option('--quota <octets>', 'most octets of mail, as 1G', bytesOption);
  add.option('--quota-messages <n>', 'most messages', countOption);
  add.option('--no-password', 'the user cannot log in yet');
  works<AddOptions>(add, addOne);
  works(user.command('list').description('all users and accounts').addHelpText('after', listManual), listUsers);
  works(named('show', 'what is known of a user'), showUser);
  works(named('remove', 'remove a user and the mail').addHelpText('after', removeManual), removeUser);
  const set = named('set', "change a user's settings").addHelpText('after', setManual);
  set.requiredOption('--retention <days>', 'how long mail is kept, as expunged=14d,trash=30d', retentionOption);
  works<SetOptions>(set, setUser);
  works(named('disable', 'keep a user from logging in; mail is still taken'), (run) => setDisabled(run, true));
  works(named('enable', 'let a user log in again'), (run) => setDisabled(run, false));
  const load = user.command('import').description('add and update users from a list');
  works(load.argument('<file>', 'the list').addHelpText('after', importManual), importUsers);
}

export function addPasswd(program: Command): void {
  const command = program.command('passwd').description("change a user's password");
  works(command.argument('<address>', "the user's address").addHelpText('after', passwdManual), changePassword);
}

export function bytesOption(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined) throw new InvalidArgumentError('A number of octets, or a number with K, M, G or T.');
  return bytes;
}

export function countOption(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('A whole number.');
  return Number(text);
}

function addOne(run: Run, { quota = 0, quotaMessages = 0, ...options }: AddOptions): Promise<number> {
  return withReading(run, (reading) =>
    withAdministration(run, async (administration) => {
      const given = await addressGiven(run, run.arg(0));
      await checkNew(run, given);
      const secret = options.password ? { password: await newPassword() } : {};
      const fields = { ...secret, quotaBytes: quota, quotaMessages };
      const user = await administration.addUser(given, fields, knownIds(reading));
      const account = accountOfUser(reading, user);
      const messages = account?.row.messages ?? 0;
      const old =
        account === undefined ? '' : `, who gets the account that was there, with ${counted(messages, 'message')}`;
      const { id, address } = user;
      const value = { id, address, quota, quotaMessages, account: account !== undefined, messages };
      await run.answer(value, `User ${safeText(address)} is number ${id}${old}.\n`);
      return exit.done;
    }),
  );
}

/** Before anybody types a password for it; the directory looks again. @throws CommandError findings */
async function checkNew(run: Run, given: string): Promise<void> {
  // As which Node reads octets that are no UTF-8: several names would become one.
  if (given.includes('\ufffd')) throw new CommandError(exit.findings, `${given} is not UTF-8`);
  const address = normalAddress(given);
  if (address === undefined) throw new CommandError(exit.findings, `${given} is no address`);
  const user = await withDirectory(run, (directory) => directory.userNamed(address));
  if (user !== undefined) throw new CommandError(exit.findings, `${user.address} is there already`);
}

function showUser(run: Run): Promise<number> {
  return withReading(run, (reading) =>
    withDirectory(run, async (directory) => {
      const { user, account, usage } = await findUsage(run, reading, directory, run.arg(0));
      const { config } = await run.config();
      const retention = retentionShown(reading.catalog(), account?.id, config.retention);
      const rows = [
        ['address', safeText(usage.address)],
        ['number', String(usage.id)],
        ['in the directory', user === undefined ? 'no' : `since ${humanTime(Math.floor(user.createdMs / 1000))}`],
        ['login', user === undefined ? 'no' : user.disabled ? 'disabled' : 'enabled'],
        ['account', usage.account ? counted(usage.mailboxes, 'mailbox', 'mailboxes') : 'none yet'],
        ['octets', bytesText(usage.bytes, usage.quota)],
        ['messages', countText(usage.messages, usage.quotaMessages)],
        ['kept', retentionText(retention)],
      ];
      await run.answer({ ...usage, createdMs: user?.createdMs, retention }, table(rows));
      return exit.done;
    }),
  );
}

function setDisabled(run: Run, disabled: boolean): Promise<number> {
  return withAdministration(run, async (administration) => {
    const user = await existingUser(run, run.arg(0));
    const { id, address } = await administration.setDisabled(formatAddress(user.address), disabled);
    await run.answer({ id, address, disabled }, `${safeText(address)} ${disabled ? 'cannot' : 'can'} log in.\n`);
    return exit.done;
  });
}

function changePassword(run: Run): Promise<number> {
  return withAdministration(run, async (administration) => {
    const user = await existingUser(run, run.arg(0));
    const { id, address } = await administration.setPassword(formatAddress(user.address), await newPassword());
    await run.answer({ id, address }, `${safeText(address)} has a new password.\n`);
    return exit.done;
  });
}

function removeUser(run: Run): Promise<number> {
  return withWriter(run, async ({ writer, reading }) => {
    const given = run.arg(0);
    const { config } = await run.config();
    const found = await withDirectory(run, (directory) => userNamed(directory, given));
    const id = found === undefined ? undefined : accountNumber(found.id);
    const keptFor = retentionShown(reading.catalog(), id, config.retention);
    // The account is kept for some minutes whatever is set, and the login must not be gone before it.
    const keptSeconds = retainedUntil(0, keptFor);
    const user = found && (await removeFromDirectory(run, found, keptSeconds * 1_000));
    const account = user === undefined ? await accountLeft(run, reading, given) : accountOfUser(reading, user);
    if (account !== undefined) await writer.deleteAccount(account.id);
    const { messages = 0, bytes = 0 } = account?.row ?? {};
    const address = user?.address ?? account?.row.name ?? '';
    const value = { id: user?.id ?? account?.id, address, user: user !== undefined, account: account !== undefined };
    const span = keptFor.expunged === 0 ? counted(keptSeconds / 60, 'minute') : counted(keptFor.expunged, 'day');
    const back = `; \`mstore undelete\` brings them back for ${span}`;
    const gone = account === undefined ? '; there was no account' : `, with ${counted(messages, 'message')}${back}`;
    await run.answer({ ...value, messages, bytes }, `${safeText(address)} is gone${gone}.\n`);
    return exit.done;
  });
}

/** The user that was removed; undefined where another was quicker. */
async function removeFromDirectory(run: Run, { address }: User, keepMs: number): Promise<User | undefined> {
  try {
    return await withAdministration(run, (administration) => administration.removeUser(formatAddress(address), keepMs));
  } catch (error) {
    if (isDirectoryError(error, 'noUser')) return undefined;
    throw error;
  }
}

/** The account of that name that is no user's. @throws {StoreError} noAccount @throws CommandError findings */
async function accountLeft(run: Run, reading: StoreReading, name: string): Promise<NamedAccount> {
  const { config } = await run.config();
  const account = findAccount(reading.catalog(), name, config.login.defaultDomain);
  if (account === undefined) throw new StoreError('noAccount', `no user and no account ${name}`);
  const user = await withDirectory(run, (directory) => directory.user(userOfAccount(account.id)));
  if (user === undefined) return account;
  throw new CommandError(exit.findings, `account ${account.id} of that name is the mail of ${user.address}`);
}
