/** What a user has and may have: the limits from the directory, the use from the store. */
import type { Directory, User } from '@mstore/directory';
import { type NamedAccount, StoreError, type StoreReading } from '@mstore/store';
import { findAccount } from './access.ts';
import type { Run } from './command.ts';
import { accountOfUser, userNamed, userOfAccount } from './directory.ts';
import { humanBytes, humanCount } from './text.ts';

/** A user, an account, or both; what `--json` tells of them. */
export interface Usage {
  readonly address: string;
  readonly id: number;
  readonly inDirectory: boolean;
  /** There is an account in the store. */
  readonly account: boolean;
  readonly disabled: boolean;
  /** Octets; 0 for no limit. */
  readonly quota: number;
  readonly quotaMessages: number;
  readonly mailboxes: number;
  readonly messages: number;
  readonly bytes: number;
}

export function usageOfUser(user: User, account: NamedAccount | undefined): Usage {
  const { mailboxes = 0, messages = 0, bytes = 0 } = account?.row ?? {};
  const { address, id, disabled, quotaBytes: quota, quotaMessages } = user;
  const has = { inDirectory: true, account: account !== undefined };
  return { address, id, ...has, disabled, quota, quotaMessages, mailboxes, messages, bytes };
}

/** Of an account that is no user's. */
export function usageOfAccount({ id, row }: NamedAccount): Usage {
  const { name: address, quotaBytes: quota, quotaMessages, mailboxes, messages, bytes } = row;
  const has = { inDirectory: false, account: true };
  return { address, id, ...has, disabled: false, quota, quotaMessages, mailboxes, messages, bytes };
}

/** True when the account is its user's: the same number and the same name. */
export async function hasUser(directory: Directory, { id, row }: NamedAccount): Promise<boolean> {
  const user = await directory.user(userOfAccount(id));
  return user !== undefined && user.address === row.name.toLowerCase();
}

/** A user or an account by name, with what belongs to it. @throws {StoreError} noAccount */
export async function findUsage(
  run: Run,
  reading: StoreReading,
  directory: Directory,
  name: string,
): Promise<{ readonly user?: User; readonly account?: NamedAccount; readonly usage: Usage }> {
  const user = await userNamed(directory, name);
  if (user !== undefined) {
    const own = accountOfUser(reading, user);
    const usage = usageOfUser(user, own);
    return own === undefined ? { user, usage } : { user, account: own, usage };
  }
  const { config } = await run.config();
  const account = findAccount(reading.catalog(), name, config.login.defaultDomain);
  if (account === undefined) throw new StoreError('noAccount', `no user and no account ${name}`);
  return { account, usage: usageOfAccount(account) };
}

/** `1.2G of 5.0G`. */
export function bytesText(used: number, limit: number): string {
  return limit === 0 ? `${humanBytes(used)}, no limit` : `${humanBytes(used)} of ${humanBytes(limit)}`;
}

/** `12 of 1,000`. */
export function countText(used: number, limit: number): string {
  return limit === 0 ? `${humanCount(used)}, no limit` : `${humanCount(used)} of ${humanCount(limit)}`;
}
