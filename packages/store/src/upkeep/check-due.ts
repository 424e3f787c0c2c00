/** Invariant 15 of `catalog/schema.ts`: the table `due` holds exactly what the other tables keep for a while. */
import { Catalog } from '../catalog/catalog.ts';
import { chunkSlots } from '../catalog/index-chunk.ts';
import { dueKind, type KeyText, keyOctets, keyText, kind, readU64 } from '../catalog/keys.ts';
import { retentionEntry } from '../catalog/rows.ts';
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
import type { View } from '../catalog/write-set.ts';
import { type AccountId, brandNumber, type MailboxId, type ModSeq } from '../types.ts';
import type { Findings } from './findings.ts';

const everything = { from: Buffer.of(0), to: Buffer.alloc(32, 0xff) };
const all = { from: Buffer.alloc(0), to: Buffer.alloc(1_100, 0xff) };

export function checkDue(view: View, findings: Findings): void {
  const should = wanted(view);
  const found = new Set<KeyText>();
  for (const key of view.keys('due', everything)) {
    const text = keyText(key);
    found.add(text);
    if (!should.has(text)) findings.add('15', `${describe(key)}, which is not so`);
  }
  for (const text of should.keys()) {
    if (!found.has(text)) findings.add('15', `no row says that ${describe(keyOctets(text))}`);
  }
  const range = { from: Buffer.of(dueKind.retained), to: Buffer.of(dueKind.retained + 1) };
  for (const [key, { low, high }] of view.range(dueRetainedTable, range)) {
    const slots = should.get(keyText(key));
    if (slots !== undefined && (slots.low !== low || slots.high !== high)) {
      findings.add('15', `${describe(key)}, and not those UIDs`);
    }
  }
}

interface Slots {
  low: number;
  high: number;
}

/** The keys that there should be, and for entries which UIDs. */
function wanted(view: View): Map<KeyText, Slots> {
  const should = new Map<KeyText, Slots>();
  const add = (key: KeyText): void => void should.set(key, { low: 0, high: 0 });
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

function addSlot(should: Map<KeyText, Slots>, mailbox: MailboxId, uid: number, time: number): void {
  const key = dueRetainedTable.key(time, mailbox, Math.floor(uid / chunkSlots));
  const slots = should.get(key) ?? { low: 0, high: 0 };
  const slot = uid % chunkSlots;
  if (slot < 32) slots.low += 2 ** slot;
  else slots.high += 2 ** (slot - 32);
  should.set(key, slots);
}

function describe(key: Buffer): string {
  switch (key.readUInt8(0)) {
    case dueKind.retained:
      return `UIDs around ${key.readUInt32BE(13) * chunkSlots} of mailbox ${key.readUInt32BE(9)} were expunged at ${readU64(key, 1)}`;
    case dueKind.mailbox:
      return `mailbox ${key.readUInt32BE(9)} was deleted at ${readU64(key, 1)}`;
    case dueKind.account:
      return `account ${key.readUInt32BE(9)} was deleted at ${readU64(key, 1)}`;
    case dueKind.mailboxOf:
      return `account ${key.readUInt32BE(1)} has the deleted mailbox ${key.readUInt32BE(5)}`;
    case dueKind.retentionOf:
      return `account ${key.readUInt32BE(1)} has a retention of its own`;
    case dueKind.unfinished:
      return `the deletion of account ${key.readUInt32BE(1)} is not finished`;
    case dueKind.expunge:
      return `mailbox ${key.readUInt32BE(9)} remembers expunges of ${readU64(key, 13)} at ${readU64(key, 1)}`;
    default:
      return `there is a row under ${key.toString('hex')}`;
  }
}
