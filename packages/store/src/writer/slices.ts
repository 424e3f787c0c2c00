/** Large work in slices of a bounded size, so that nobody waits behind a mailbox of a million. */
import type { Catalog } from '../catalog/catalog.ts';
import { UidSet } from '../codec/uid-set.ts';
import { limits } from '../limits.ts';
import type { AccountId, MailboxId } from '../types.ts';
import type { DeliveryTarget } from './intents/place.ts';

/** Targets decided in one turn. */
const targetsPerIntent = 48;

/** The UIDs of the mailbox that are in `uids`, `most` at a time. */
export function uidSlices(catalog: Catalog, mailbox: MailboxId, uids: UidSet, most: number): UidSet[] {
  const slices: UidSet[] = [];
  let slice: number[] = [];
  for (const [number, page] of catalog.uidPages(mailbox)) {
    for (const uid of page.uids(number)) {
      if (!uids.has(uid)) continue;
      slice.push(uid);
      if (slice.length < most) continue;
      slices.push(UidSet.of(slice));
      slice = [];
    }
  }
  if (slice.length > 0) slices.push(UidSet.of(slice));
  return slices;
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
