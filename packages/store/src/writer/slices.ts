/** Large work in slices of a bounded size, so that nobody waits behind a mailbox of a million. */
import type { Catalog } from '../catalog/catalog.ts';
import { pageUids, type UidPage } from '../catalog/uid-pages.ts';
import { UidSet } from '../codec/uid-set.ts';
import { invariant, isStoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { AccountId, MailboxId } from '../types.ts';
import type { DeliveryTarget } from './intents/place.ts';

/** Targets decided in one turn. */
const targetsPerIntent = 48;

/** The UIDs of the mailbox that are in `uids`, `most` at a time. For a few of a large mailbox not all of it is looked through. */
export function uidSlices(
  catalog: Pick<Catalog, 'uidPage' | 'uidPages'>,
  mailbox: MailboxId,
  uids: UidSet,
  most: number,
): UidSet[] {
  const pages = uids.size <= most ? pagesWith(catalog, mailbox, uids) : catalog.uidPages(mailbox);
  const slices: UidSet[] = [];
  let slice: number[] = [];
  const { ranges } = uids;
  let at = 0;
  for (const [number, page] of pages) {
    const start = number * pageUids;
    const end = start + pageUids - 1;
    for (let range = ranges[at]; range !== undefined && range.first <= end; range = ranges[at]) {
      const last = Math.min(range.last, end);
      for (let uid = Math.max(range.first, start); uid <= last; uid++) {
        if (!page.has(uid)) continue;
        slice.push(uid);
        if (slice.length < most) continue;
        slices.push(UidSet.of(slice));
        slice = [];
      }
      if (range.last > end) break;
      at += 1;
    }
  }
  if (slice.length > 0) slices.push(UidSet.of(slice));
  return slices;
}

/** The pages on which these UIDs would be. */
function* pagesWith(
  catalog: Pick<Catalog, 'uidPage'>,
  mailbox: MailboxId,
  { ranges }: UidSet,
): Generator<readonly [number, UidPage]> {
  let next = 0;
  for (const { first, last } of ranges) {
    for (let number = Math.max(next, Math.floor(first / pageUids)); number * pageUids <= last; number++) {
      const page = catalog.uidPage(mailbox, number);
      if (page !== undefined) yield [number, page];
      next = number + 1;
    }
  }
}

/** Asks for a slice; says when it was decided, which is before the answer. */
export type AskSlice<Answer> = (uids: UidSet, decided: () => void) => Promise<Answer>;

/**
 * Asks for one slice after the other, each as soon as the one before was decided: it becomes durable, and comes to the catalog, while
 * the next ones are decided. Nobody's slices wait in a queue. Answers when all are answered; those behind a mailbox that
 * vanished are left out. @throws what the first one was refused with
 */
export async function inSlices<Answer>(
  slices: readonly UidSet[],
  ask: AskSlice<Answer>,
): Promise<[Answer, ...Answer[]]> {
  const [first = UidSet.empty, ...rest] = slices;
  const asked: Promise<Answer>[] = [];
  let hasFailed = false;
  const begin = (slice: UidSet): Promise<void> =>
    new Promise((decided) => {
      const answer = ask(slice, decided);
      asked.push(answer);
      answer
        .catch(() => {
          hasFailed = true;
        })
        .finally(decided);
    });
  await begin(first);
  for (const slice of rest) if (!hasFailed) await begin(slice);
  await Promise.allSettled(asked);
  const [firstAnswer, ...others] = asked;
  invariant(firstAnswer !== undefined, 'a slice is asked for');
  const answers: [Answer, ...Answer[]] = [await firstAnswer];
  for (const other of others) {
    try {
      answers.push(await other);
    } catch (error) {
      if (!isStoreError(error, 'noMailbox')) throw error;
      break;
    }
  }
  return answers;
}

/** Indexes of targets, so many at a time; an account's stay together, since they may lead to one mailbox. */
export function byAccount(targets: readonly DeliveryTarget[]): number[][] {
  if (targets.length <= targetsPerIntent) return [targets.map((_target, index) => index)];
  const accounts = new Map<AccountId, number[]>();
  for (const [index, { account }] of targets.entries()) {
    const known = accounts.get(account);
    if (known === undefined) accounts.set(account, [index]);
    else known.push(index);
  }
  const groups: number[][] = [];
  let group: number[] | undefined;
  for (const indexes of accounts.values()) {
    if (group === undefined || group.length + indexes.length > targetsPerIntent) {
      group = [];
      groups.push(group);
    }
    group.push(...indexes);
  }
  return groups;
}

/** Octets in pieces that are taken in at a time. */
export async function* octetSlices(octets: Buffer): AsyncGenerator<Buffer> {
  const bytes = limits.ingestSliceBytes;
  for (let at = 0; at < octets.length; at += bytes) yield octets.subarray(at, at + bytes);
}
