/**
 * How long mail is kept: the store's settings, and an account's own above them, which lie in its metadata as words
 * (`expunged=14 trash=30`), so that they survive a rebuild. Pure.
 */
import type { Catalog } from '../catalog/catalog.ts';
import {
  accountsDeletedBefore,
  accountsWithRetention,
  deletedMailboxesOf,
  hasOwnRetention,
  mailboxesDeletedBefore,
  oldestRetained,
} from '../catalog/due.ts';
import { retentionEntry } from '../catalog/rows.ts';
import { metadataTable } from '../catalog/schema.ts';
import { limits } from '../limits.ts';
import type { AccountId, MailboxId } from '../types.ts';

export const retentionKeys = ['expunged', 'trash', 'junk', 'pop3'] as const;

export type RetentionKey = (typeof retentionKeys)[number];

/** Days. */
export interface Retention {
  /** That what was expunged or deleted can be brought back. */
  readonly expunged: number;
  /** After which messages in mailboxes of the role Trash, of the role Junk, and in INBOX are expunged; 0: never. */
  readonly trash: number;
  readonly junk: number;
  readonly pop3: number;
}

export type OwnRetention = { readonly [Key in RetentionKey]?: number };

/** Days that a retention may have. */
export const retentionDaysMax = 3_650;

/** Seconds in a day. */
export const daySeconds = 86_400;

/** Of an account's metadata; words that this release does not know mean nothing. */
export function decodeRetention(octets: Buffer): OwnRetention {
  const own: { [Key in RetentionKey]?: number } = {};
  for (const word of octets.toString('latin1').split(' ')) {
    const [name, days] = word.split('=');
    const key = retentionKeys.find((known) => known === name);
    if (key !== undefined && days !== undefined && /^\d{1,4}$/.test(days)) own[key] = Number(days);
  }
  return own;
}

/** Undefined when nothing is set. */
export function encodeRetention(own: OwnRetention): Buffer | undefined {
  const words = retentionKeys.flatMap((key) => (own[key] === undefined ? [] : [`${key}=${own[key]}`]));
  return words.length === 0 ? undefined : Buffer.from(words.join(' '), 'latin1');
}

/** What is set for the account itself. */
export function ownRetentionOf(catalog: Catalog, account: AccountId): OwnRetention {
  if (!hasOwnRetention(catalog.view, account)) return {};
  const octets = catalog.view.read(metadataTable, account, 0, retentionEntry);
  return octets === undefined ? {} : decodeRetention(octets);
}

/** What the first `most` accounts have set for themselves. */
export function* ownRetentions(catalog: Catalog, most: number): Generator<OwnRetention> {
  let left = most;
  for (const { account } of accountsWithRetention(catalog.view)) {
    if (left-- <= 0) return;
    yield ownRetentionOf(catalog, account);
  }
}

/** What holds for the account. */
export function retentionOf(catalog: Catalog, account: AccountId, store: Retention): Retention {
  return { ...store, ...ownRetentionOf(catalog, account) };
}

/** What left sight before this may go for good at `now`, after so many days; seconds since 1970. */
export function dueBefore(now: number, days: number): number {
  return now - Math.max(limits.retainedSecondsMin, days * daySeconds);
}

/** When what left sight at a time may go for good; seconds since 1970. */
export function retainedUntil(time: number, { expunged }: Retention): number {
  return time + Math.max(limits.retainedSecondsMin, expunged * daySeconds);
}

/**
 * When the next thing goes for good, seconds since 1970: what left sight first, after the retention of its account. Undefined
 * when nothing is kept. (Where accounts have a shorter retention of their own, something may go earlier.)
 */
export function nextPurge(catalog: Catalog, store: Retention): number | undefined {
  const { view } = catalog;
  const everything = Number.MAX_SAFE_INTEGER;
  const times: number[] = [];
  const add = (time: number, account: AccountId | undefined): void => {
    times.push(retainedUntil(time, account === undefined ? store : retentionOf(catalog, account, store)));
  };
  const entry = oldestRetained(view);
  if (entry !== undefined) add(entry.time, catalog.mailbox(entry.mailbox)?.account);
  for (const { id, time } of mailboxesDeletedBefore(everything)(view)) {
    add(time, catalog.mailbox(id)?.account);
    break;
  }
  for (const { id, time } of accountsDeletedBefore(everything)(view)) {
    add(time, id);
    break;
  }
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Deleted accounts that are kept, the first deleted first. */
export function* accountsDeleted(catalog: Catalog): Generator<AccountId> {
  for (const { id } of accountsDeletedBefore(Number.MAX_SAFE_INTEGER)(catalog.view)) yield id;
}

/** The account's deleted mailboxes that are kept. */
export function deletedMailboxes(catalog: Catalog, account: AccountId): MailboxId[] {
  return [...deletedMailboxesOf(catalog.view, account)];
}
