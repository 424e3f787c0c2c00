/**
 * Who is behind a recipient, and whether mail may go there now: what a mail server is told before it sends the message. "No
 * such user" is said only when the directory said so.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Directory, Resolution, Target, User } from '@mstore/directory';
import { type AccountId, brandNumber, type Catalog } from '@mstore/store';
import type { DeliverySettings, Recipient, Refusal, RefusalKind } from './delivery.ts';
import { refusal, refusalOf } from './errors.ts';
import { limits } from './limits.ts';

/** What accepting a recipient asks of the directory and the store. */
export interface RecipientPorts {
  readonly directory: Directory;
  readonly catalog: () => Catalog;
}

/** What the directory's other answers mean. */
const resolutionRefusals: Readonly<Record<Exclude<Resolution['kind'], 'found'>, RefusalKind>> = {
  noSuchUser: 'unknownUser',
  foreign: 'foreign',
  loop: 'loop',
  tooMany: 'tooManyTargets',
};

/** The account of a user has the user's id. */
export function accountOf(user: User): AccountId {
  return brandNumber<AccountId>(user.id);
}

/**
 * The recipient behind an address without angle brackets, or why it gets nothing.
 * @param announcedBytes the message's size as far as it is known
 */
export async function acceptRecipient(
  ports: RecipientPorts,
  settings: DeliverySettings,
  given: string,
  announcedBytes: number | undefined,
): Promise<Recipient | Refusal> {
  try {
    const resolution = await ports.directory.resolve(given);
    if (resolution.kind !== 'found') return refusal(resolutionRefusals[resolution.kind], resolutionText(resolution));
    const found = await usersBehind(ports.directory, resolution.targets, settings.route);
    if (!found.ok) return found;
    const full = await fullAccounts(ports.catalog, found.users, announcedBytes);
    // Tried again, the message would reach the others once more each time: then nobody gets it; else all who have room do.
    const isRefused = settings.overQuota === 'temporary' ? full.length > 0 : full.length === found.users.length;
    if (isRefused) return refusal('overQuota', `the account of ${full[0]?.address ?? ''} is over quota`);
    return { ok: true, given, targets: found.targets, users: found.users };
  } catch (error) {
    return refusalOf(error);
  }
}

function resolutionText(resolution: Exclude<Resolution, { kind: 'found' }>): string {
  switch (resolution.kind) {
    case 'noSuchUser':
      return 'no such user';
    case 'foreign':
      return `the domain of ${resolution.address} is not ours`;
    case 'loop':
      return `the alias ${resolution.address} leads in a circle`;
    case 'tooMany':
      return `an alias leads to too many addresses, or by too many others: ${resolution.address}`;
  }
}

interface Found {
  readonly ok: true;
  readonly targets: readonly Target[];
  readonly users: readonly User[];
}

/** The users that are still there, unless one of them is on another server. */
async function usersBehind(directory: Directory, targets: readonly Target[], route: string): Promise<Found | Refusal> {
  const present: Target[] = [];
  const users: User[] = [];
  for (const [index, target] of targets.entries()) {
    if (index % limits.targetSlice === limits.targetSlice - 1) await nextTurn();
    const user = await directory.user(target.userId);
    if (user === undefined) continue;
    const server = await directory.route(target.userId);
    if (server === undefined) continue;
    if (server !== route) return refusal('notHere', `${user.address} is on ${server}`);
    present.push(target);
    users.push(user);
  }
  if (users.length === 0) return refusal('unknownUser', 'the user was removed a moment ago');
  return { ok: true, targets: present, users };
}

/** The users whose account has no room for so much; one that was not made yet is empty. */
async function fullAccounts(
  catalog: () => Catalog,
  users: readonly User[],
  announcedBytes: number | undefined,
): Promise<User[]> {
  const full: User[] = [];
  for (const [index, user] of users.entries()) {
    if (index % limits.targetSlice === limits.targetSlice - 1) await nextTurn();
    const { quotaBytes, quotaMessages } = user;
    if (quotaBytes === 0 && quotaMessages === 0) continue;
    const used = catalog().account(accountOf(user)) ?? { bytes: 0, messages: 0 };
    // A message of unknown size has an octet at least.
    const isTooLarge = quotaBytes > 0 && used.bytes + (announcedBytes ?? 1) > quotaBytes;
    if (isTooLarge || (quotaMessages > 0 && used.messages >= quotaMessages)) full.push(user);
  }
  return full;
}
