/**
 * GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §4.1, RFC 2087). All mailboxes of an account are under one quota root, whose name is
 * empty; an account without a limit has none. Only resources with a limit are told, and no client sets one.
 */
import type { AccountRow } from '@mstore/store';
import { RefusedError, refusals } from '../errors.ts';
import { type Completion, completed } from '../reply.ts';
import type { Session } from '../session.ts';
import type { Decoder } from '../wire/decoder.ts';

/** Octets of the unit that STORAGE counts in (RFC 9208 §5.1). */
const storageUnit = 1_024;

const largestLimit = Number.MAX_SAFE_INTEGER;

/** The name of a quota root. */
export function expectQuotaRoot(decoder: Decoder): string {
  return decoder.textOf(decoder.expectAstring('a quota root'), 'a quota root');
}

/** @throws {RefusedError} noQuotaRoot */
export async function getQuota(session: Session, root: string): Promise<Completion> {
  const resources = root === '' ? resourcesOf(session) : [];
  if (resources.length === 0) throw new RefusedError(refusals.noQuotaRoot);
  await session.say(quotaLine(resources));
  return completed('that is used of it');
}

/** Also of a mailbox that does not exist: what would count once it does. */
export async function getQuotaRoot(session: Session, mailbox: string): Promise<Completion> {
  const resources = resourcesOf(session);
  const answer = session.encoder().raw('* QUOTAROOT ').mailbox(mailbox);
  if (resources.length > 0) answer.raw(' ""').crlf().raw(quotaLine(resources));
  else answer.crlf();
  await session.say(answer.take());
  return completed(resources.length > 0 ? 'that is its quota' : 'it has no limits');
}

/** `"" (STORAGE 512)`: read, to be refused. */
export function expectSetQuota(decoder: Decoder): undefined {
  expectQuotaRoot(decoder);
  decoder.expectSpace('limits');
  const one = (): void => {
    decoder.expectAtom('a resource');
    decoder.expectSpace('a limit');
    decoder.expectNumber('a limit', 0, largestLimit);
  };
  decoder.expectList('a resource and its limit', one, true);
}

/** Limits are the administrator's. */
export function setQuota(): never {
  throw new RefusedError(refusals.noQuotaSetting);
}

/** `STORAGE 10 512`, for each limit that the account has. */
function resourcesOf({ services, account }: Session): readonly string[] {
  const row = services.reading.catalog().account(account);
  return row === undefined ? [] : [...storageOf(row), ...messagesOf(row)];
}

/** Both are rounded up, so that usage is never shown above a limit that it does not exceed. */
function storageOf({ bytes, quotaBytes }: AccountRow): readonly string[] {
  return quotaBytes === 0 ? [] : [`STORAGE ${Math.ceil(bytes / storageUnit)} ${Math.ceil(quotaBytes / storageUnit)}`];
}

function messagesOf({ messages, quotaMessages }: AccountRow): readonly string[] {
  return quotaMessages === 0 ? [] : [`MESSAGE ${messages} ${quotaMessages}`];
}

function quotaLine(resources: readonly string[]): string {
  return `* QUOTA "" (${resources.join(' ')})\r\n`;
}
