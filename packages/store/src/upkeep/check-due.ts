/** Invariant 15 of `catalog/schema.ts`: the table `due` holds exactly what the other tables keep for a while. */
import { chunkSlots } from '../catalog/index-chunk.ts';
import { dueKind, type KeyText, keyOctets, keyText, readU64 } from '../catalog/keys.ts';
import { dueRetainedTable } from '../catalog/schema.ts';
import type { View } from '../catalog/write-set.ts';
import { dueRows, everyDue } from './due-rows.ts';
import type { Findings } from './findings.ts';

export function checkDue(view: View, findings: Findings): void {
  const should = dueRows(view);
  const found = new Set<KeyText>();
  for (const key of view.keys('due', everyDue)) {
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
