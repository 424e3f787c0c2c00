/**
 * Whether a target can take all that a COPY or MOVE brings: asked before the first slice, so that none is done where not all can be.
 * Each slice decides again. All entries are looked at, some in a turn of the event loop: they may be a million.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Catalog } from '../catalog/catalog.ts';
import { StoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { CopyRequest } from './intents/copy.ts';
import { uidSlices } from './slices.ts';

/** `catalog`: as it is now. @throws {StoreError} overQuota, limitExceeded */
export async function checkCopy(
  catalog: () => Catalog,
  { source, uids, target, move }: Omit<CopyRequest, 'traces'>,
): Promise<void> {
  const before = catalog();
  const from = before.mailbox(source);
  const to = before.mailbox(target);
  const account = to === undefined ? undefined : before.account(to.account);
  if (from === undefined || to === undefined || account === undefined || from.deleted || to.deleted) return;
  const known = new Set(before.keywords(target).map((word) => word.toLowerCase()));
  const words = before.keywords(source);
  const hasQuota = account.quotaBytes + account.quotaMessages > 0 && !(move && from.account === to.account);
  if (!hasQuota && known.size + words.length <= limits.keywords) return;
  let { bytes, messages } = account;
  for (const [at, some] of uidSlices(before, source, uids, limits.sliceEntries).entries()) {
    if (at > 0) await nextTurn();
    for (const entry of catalog().entries(source, some)) {
      bytes += entry.size;
      messages++;
      for (const number of entry.keywords) known.add((words[number] ?? '').toLowerCase());
    }
  }
  if (messages === account.messages) return;
  if (known.size > limits.keywords)
    throw new StoreError('limitExceeded', `mailbox ${target} has no room for the keywords`);
  const isOver = (value: number, quota: number): boolean => quota > 0 && value > quota;
  if (hasQuota && (isOver(bytes, account.quotaBytes) || isOver(messages, account.quotaMessages))) {
    throw new StoreError('overQuota', `account ${to.account} is over quota`);
  }
}
