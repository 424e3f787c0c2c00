/** What the table `due` must hold, made from the other tables: what fsck compares it with, and what a rebuild leaves. */
import { Catalog } from '../catalog/catalog.ts';
import { chunkSlots } from '../catalog/index-chunk.ts';
import { type KeyText, keyText, kind, readU64 } from '../catalog/keys.ts';
import type { KvRange } from '../catalog/kv.ts';
import { numberCodec, slotsCodec } from '../catalog/row-codecs.ts';
import { retentionEntry, type SlotsRow } from '../catalog/rows.ts';
import {
  deletedMailboxTable,
  dueAccountTable,
  dueExpungeTable,
  dueMailboxTable,
  dueRetainedTable,
  expungedTable,
  metadataTable,
  ownRetentionTable,
  unfinishedTable,
} from '../catalog/schema.ts';
import type { View, WriteSet } from '../catalog/write-set.ts';
import { type AccountId, brandNumber, type MailboxId, type ModSeq } from '../types.ts';

/** Every key of `due`. */
export const everyDue: KvRange = { from: Buffer.of(0), to: Buffer.alloc(32, 0xff) };
const all = { from: Buffer.alloc(0), to: Buffer.alloc(1_100, 0xff) };

type DueRows = Map<KeyText, SlotsRow | undefined>;

/** The keys that there should be; for retained entries with their rows, else with undefined, which stands for 1. */
export function dueRows(view: View): Map<KeyText, SlotsRow | undefined> {
  const should: DueRows = new Map();
  const add = (key: KeyText): void => void should.set(key, undefined);
  const catalog = new Catalog(view);
  for (const { id, row } of catalog.accounts()) {
    if (!row.deleted) continue;
    add(dueAccountTable.key(row.deletedAt, id));
    if (row.mailboxes > 0) add(unfinishedTable.key(id));
  }
  for (const { id, row } of catalog.allMailboxes()) {
    for (const { entry, expungedAt } of catalog.retained(id)) addSlot(should, id, entry.uid, expungedAt);
    if (!row.deleted) continue;
    add(dueMailboxTable.key(row.deletedAt, id));
    add(deletedMailboxTable.key(row.account, id));
  }
  for (const [key, { expungedAt }] of view.range(expungedTable, all)) {
    const mailbox = brandNumber<MailboxId>(key.readUInt32BE(0));
    add(dueExpungeTable.key(expungedAt, mailbox, brandNumber<ModSeq>(readU64(key, 4))));
  }
  const metadata = { from: Buffer.of(kind.metadata), to: Buffer.of(kind.metadata + 1) };
  for (const [key] of view.range(metadataTable, metadata)) {
    if (key.readUInt32BE(5) !== 0 || key.toString('utf8', 9) !== retentionEntry) continue;
    add(ownRetentionTable.key(brandNumber<AccountId>(key.readUInt32BE(1))));
  }
  return should;
}

function addSlot(should: DueRows, mailbox: MailboxId, uid: number, time: number): void {
  const key = dueRetainedTable.key(time, mailbox, Math.floor(uid / chunkSlots));
  const slots = should.get(key) ?? { low: 0, high: 0 };
  const slot = uid % chunkSlots;
  if (slot < 32) slots.low += 2 ** slot;
  else slots.high += 2 ** (slot - 32);
  should.set(key, slots);
}

/**
 * Makes `due` what it must be: in a log with gaps, what it follows from may have come in another order. `view` shows the catalog
 * as it is written; `set` gives the write set for the next change.
 */
export async function remakeDue(view: View, set: () => Promise<WriteSet>): Promise<void> {
  const should = dueRows(view);
  for (const octets of view.keys('due', everyDue)) {
    const key = keyText(octets);
    if (!should.has(key)) (await set()).put('due', key, numberCodec, undefined);
  }
  for (const [key, row] of should) {
    if (row === undefined) (await set()).put('due', key, numberCodec, 1);
    else (await set()).put('due', key, slotsCodec, row);
  }
}
