/**
 * From a login and a password to a user, and to the account that is theirs. A wrong password and a login that nobody has are told in the
 * same words and time; a user of another store server never sees an empty account: clients would take it for the truth.
 */
import type { Directory, User } from '@mstore/directory';
import type { LoginGuard } from '@mstore/net';
import { type AccountId, brandNumber, type Catalog, type WantedAccount } from '@mstore/store';

/** What a login is checked against. */
export interface LoginServices {
  readonly directory: Directory;
  readonly guard: LoginGuard;
  /** Of the routes that the directory gives, the one that leads here. */
  readonly route: string;
}

type Why = 'locked' | 'wrong' | 'disabled' | 'elsewhere';

export type Authenticated =
  | { readonly kind: 'user'; readonly user: User }
  | { readonly kind: 'refused'; readonly why: Why };

function refused(why: Why): Authenticated {
  return { kind: 'refused', why };
}

/** Checks a password; a wrong one is held back as the guard wants. @throws {DirectoryError} what cannot be told now */
export async function authenticated(
  { directory, guard, route }: LoginServices,
  login: string,
  password: string,
  address: string,
): Promise<Authenticated> {
  const attempt = { address, login };
  if (await guard.isLocked(attempt)) return refused('locked');
  const answer = await directory.authenticate(login, password, { remote: address });
  if (answer.kind === 'wrong') {
    await guard.failed(attempt);
    return refused('wrong');
  }
  if (answer.kind === 'disabled') return refused('disabled');
  const { user } = answer;
  if ((await directory.route(user.id)) !== route) return refused('elsewhere');
  await guard.succeeded(attempt);
  return { kind: 'user', user };
}

/** The user's account; undefined when there is none of that id and name. */
export function ownAccount(catalog: Catalog, user: User): AccountId | undefined {
  const id = brandNumber<AccountId>(user.id);
  const account = catalog.account(id);
  return account !== undefined && !account.deleted && account.name.toLowerCase() === user.address ? id : undefined;
}

/** The user's account as the writer is to make it, with the limits that the directory gives. */
export function wantedAccount({ id, address: name, quotaBytes, quotaMessages }: User): WantedAccount {
  return { id: brandNumber<AccountId>(id), name, quotaBytes, quotaMessages };
}

/** True where the account has the limits that the directory gives its user: a list of users may have brought others. */
export function hasOwnLimits(catalog: Catalog, { id, quotaBytes, quotaMessages }: User): boolean {
  const account = catalog.account(brandNumber<AccountId>(id));
  return account?.quotaBytes === quotaBytes && account.quotaMessages === quotaMessages;
}
