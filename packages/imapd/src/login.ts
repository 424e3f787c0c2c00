/**
 * From a login and a password to an account. Who may not come in learns one of three things: the password is wrong (also for a
 * login that nobody has, in the same words), come later, or not before the administrator was here. A user of another store
 * server, or one whose mail cannot be told now, never sees an empty account: clients would take it for the truth.
 */
import { authenticated, hasOwnLimits, ownAccount, wantedAccount } from '@mstore/access';
import type { User } from '@mstore/directory';
import { type AccountId, brandNumber, isStoreError } from '@mstore/store';
import { type Refusal, refusals } from './errors.ts';
import type { Services } from './services.ts';

export type LoginResult =
  | { readonly kind: 'in'; readonly user: User; readonly account: AccountId }
  /** `outcome` is for log and metrics. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly outcome: LoginOutcome };

export type LoginOutcome = 'in' | 'wrong' | 'locked' | 'disabled' | 'elsewhere' | 'tooMany' | 'failed';

function refused(refusal: Refusal, outcome: LoginOutcome): LoginResult {
  return { kind: 'refused', refusal, outcome };
}

/**
 * Checks a password and opens the account, which is made at its first login. A wrong password is held back as the guard wants.
 * @throws {DirectoryError | StoreError} what cannot be told now
 */
export async function logIn(
  services: Services,
  login: string,
  password: string,
  address: string,
): Promise<LoginResult> {
  const answer = await authenticated(services, login, password, address);
  if (answer.kind === 'refused') return refused(refusals[answer.why], answer.why);
  const { user } = answer;
  if (services.userSessions.count(String(user.id)) >= services.userSessionsMax) {
    return refused(refusals.tooManySessions, 'tooMany');
  }
  await services.reading.catchUp();
  const account = brandNumber<AccountId>(user.id);
  const catalog = services.reading.catalog();
  if (ownAccount(catalog, user) === undefined) await services.writer.ensureAccount(wantedAccount(user));
  else if (!hasOwnLimits(catalog, user)) await ensureLimits(services, user);
  return { kind: 'in', user, account };
}

/** Gives the account the limits that the directory has. While nothing can be changed, people read all the same. */
async function ensureLimits(services: Services, user: User): Promise<void> {
  try {
    await services.writer.ensureAccount(wantedAccount(user));
  } catch (error) {
    if (!isStoreError(error)) throw error;
    services.log.warn('the account keeps its old limits for now', { login: user.address }, error);
  }
}
