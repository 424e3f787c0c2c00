/** How `mstore undelete` brings a removed user back: the account in the store, then the user in the directory. */
import { formatAddress, normalAddress } from '@mstore/directory';
import { type NamedAccount, retainedUntil, retentionOf, type StoreReading, type WorkingStore } from '@mstore/store';
import type { Run } from './command.ts';
import { userNamed, userOfAccount, withAdministration, withDirectory } from './directory.ts';
import { CommandError, exit } from './errors.ts';
import { counted, humanBytes, humanTime, safeText } from './text.ts';

export async function listRemoved(run: Run, reading: StoreReading, removed: readonly NamedAccount[]): Promise<number> {
  const { config } = await run.config();
  const rows = removed.map(({ id, row }) => {
    const until = retainedUntil(row.deletedAt, retentionOf(reading.catalog(), id, config.retention));
    const { name: address, retainedMessages: messages, retainedBytes: size, deletedAt } = row;
    return { kind: 'account', id, address, messages, size, deletedAt, until };
  });
  const lines = rows.map(({ id, address, messages, size, deletedAt, until }) => {
    const what = `${counted(messages, 'message')} of ${humanBytes(size)}, removed ${humanTime(deletedAt)}`;
    return `user ${id}, ${safeText(address)}: ${what}, kept until ${humanTime(until)}\n`;
  });
  await run.answer({ kept: rows }, lines.join(''));
  return exit.done;
}

/** The account of that name now, and the last one of it that was removed. */
interface Holders {
  readonly account: NamedAccount | undefined;
  readonly removed: NamedAccount | undefined;
}

/** Each step is left out where it was done before. */
export async function restoreRemoved(run: Run, store: WorkingStore, { account, removed }: Holders): Promise<number> {
  const target = account ?? removed;
  if (target === undefined) throw new CommandError(exit.noUser, 'no such account');
  const address = normalAddress(target.row.name) ?? target.row.name;
  const holder = await holderOf(run, address);
  if (account !== undefined && holder?.id === account.id) {
    const other =
      removed === undefined
        ? `user ${account.id}, ${account.row.name}, was not removed`
        : `${account.row.name} is user ${account.id} now: remove that one, and user ${removed.id} can come back`;
    throw new CommandError(exit.findings, other);
  }
  if (holder !== undefined && holder.id !== target.id) {
    throw new CommandError(exit.findings, `${address} is user ${holder.id} now: remove that one first`);
  }
  const restored = account === undefined ? await store.writer.restoreAccount(target.id) : undefined;
  const row = store.reading.catalog().account(target.id);
  const user = holder === undefined ? await restoreUser(run, target, address) : undefined;
  const messages = row?.messages ?? 0;
  const value = {
    id: target.id,
    address,
    mailboxes: restored?.mailboxes ?? row?.mailboxes ?? 0,
    messages,
    password: user?.whole ?? true,
    aliases: user?.aliases ?? 0,
  };
  const secret = user === undefined || user.whole ? '' : ' Their password was not kept: `mstore passwd` sets one.';
  const what = `${counted(value.mailboxes, 'mailbox', 'mailboxes')} and ${counted(messages, 'message')}`;
  await run.answer(value, `User ${target.id}, ${safeText(address)}, is back, with ${what}.${secret}\n`);
  return exit.done;
}

/** Who has the address in the directory. */
function holderOf(run: Run, address: string): Promise<{ readonly id: number } | undefined> {
  return withDirectory(run, (directory) => userNamed(directory, address));
}

/** Undefined where the account was no user's: its name is no address. */
async function restoreUser(
  run: Run,
  { id, row }: NamedAccount,
  address: string,
): Promise<{ readonly whole: boolean; readonly aliases: number } | undefined> {
  const given = address.includes('@') ? formatAddress(address) : address;
  if (normalAddress(given) === undefined) return undefined;
  const { quotaBytes, quotaMessages } = row;
  return withAdministration(run, (administration) =>
    administration.restoreUser(given, userOfAccount(id), { quotaBytes, quotaMessages }),
  );
}
