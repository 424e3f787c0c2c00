/**
 * From a login and a password to a maildrop. Who may not come in learns one of three things: the password is wrong (also for a
 * login that nobody has, in the same words), come later, or not before the administrator was here. A user of another store
 * server, or one whose mail cannot be told now, never sees an empty maildrop: clients would take it for the truth.
 */
import { authenticated, ownAccount, wantedAccount } from '@mstore/access';
import type { User } from '@mstore/directory';
import { inbox, StoreError } from '@mstore/store';
import { type Refusal, refusals } from './errors.ts';
import type { Listing } from './listing.ts';
import { Maildrop } from './maildrop.ts';
import type { Services } from './services.ts';

export type LoginResult =
  | { readonly kind: 'in'; readonly user: User; readonly maildrop: Maildrop }
  /** `outcome` is for log and metrics. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly outcome: LoginOutcome };

export type LoginOutcome = 'in' | 'wrong' | 'locked' | 'disabled' | 'elsewhere' | 'loginDelay' | 'failed';

function refused(refusal: Refusal, outcome: LoginOutcome): LoginResult {
  return { kind: 'refused', refusal, outcome };
}

/**
 * Checks a password and opens the maildrop. A wrong one is held back as the guard wants.
 * @throws {DirectoryError | StoreError} what cannot be told now
 */
export async function logIn(
  services: Services,
  login: string,
  password: string,
  address: string,
): Promise<LoginResult> {
  const { logins } = services;
  const answer = await authenticated(services, login, password, address);
  if (answer.kind === 'refused') return refused(refusals[answer.why], answer.why);
  const { user } = answer;
  if (logins.areLimited && !(await logins.begin(user.id))) return refused(refusals.loginDelay, 'loginDelay');
  try {
    return { kind: 'in', user, maildrop: await openMaildrop(services, user) };
  } catch (error) {
    if (logins.areLimited) await logins.forget(user.id);
    throw error;
  }
}

async function openMaildrop(services: Services, user: User): Promise<Maildrop> {
  await services.reading.catchUp();
  const listing = openInbox(services, user) ?? (await openNewInbox(services, user));
  return new Maildrop(listing instanceof Promise ? await listing : listing);
}

/** The listing of the user's INBOX; undefined when there is no account of that id and name. */
function openInbox(services: Services, user: User): Listing | Promise<Listing> | undefined {
  const catalog = services.reading.catalog();
  const account = ownAccount(catalog, user);
  const mailbox = account === undefined ? undefined : catalog.mailboxNamed(account, inbox);
  return mailbox === undefined ? undefined : services.listings.of(catalog, mailbox.id, mailbox.row);
}

/** Has the writer make the account, or refuse it; and looks again. */
async function openNewInbox(services: Services, user: User): Promise<Listing | Promise<Listing>> {
  const wanted = wantedAccount(user);
  await services.writer.ensureAccount(wanted);
  const catalog = services.reading.catalog();
  const { id } = wanted;
  const mailbox = catalog.mailboxNamed(id, inbox);
  if (mailbox === undefined) throw new StoreError('noMailbox', `account ${id} has no INBOX`, { account: id });
  return services.listings.of(catalog, mailbox.id, mailbox.row);
}
