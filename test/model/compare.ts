/** What a store holds, compared with what its model says. */
import assert from 'node:assert/strict';
import { brandNumber, type Entry, type MailboxId, type Store } from '@mstore/store';
import { kind, kindU32Key, prefixEnd, readU64, u32Key } from '@mstore/store/internal/catalog/keys';
import { expungedTable, metadataTable } from '@mstore/store/internal/catalog/schema';
import { uidlOf } from '../support/dump-store.ts';
import type { ModelEntry, ModelMailbox, StoreModel } from '../support/store-model.ts';

/** Everything both know, compared, email ids and dates too; `octets` compares every message's too. */
export async function compareAll(store: Store, model: StoreModel, octets: boolean): Promise<void> {
  await store.settle();
  const catalog = store.catalog();
  assert.equal(catalog.state()?.sequence, model.sequence);
  assert.deepEqual(storeLines(store), modelLines(model));
  const emails = new Map<object | undefined, number>();
  for (const mailbox of model.mailboxes.values()) {
    for (const entry of catalog.entries(brandNumber<MailboxId>(mailbox.id))) {
      const wanted = mailbox.entries.get(entry.uid);
      assert.equal(entry.internalDate, wanted?.internalDate ?? entry.internalDate, 'internal date');
      const email = emails.get(wanted?.origin) ?? entry.email;
      assert.equal(entry.email, email, 'copies within an account share their email id');
      emails.set(wanted?.origin, email);
      if (!octets) continue;
      const got = await (await store.open(entry)).whole();
      assert.ok(wanted?.octets.equals(got), `octets of UID ${entry.uid} in mailbox ${mailbox.id}`);
    }
  }
  assert.equal(new Set(emails.values()).size, emails.size, 'two messages share an email id');
}

function modelLines(model: StoreModel): string[] {
  const lines: string[] = [];
  for (const account of model.accounts.values()) {
    const { bytes, messages } = model.usage(account.id);
    const { name, deleted, quotaBytes, quotaMessages } = account;
    lines.push(`account ${account.id} ${name} ${deleted} ${quotaBytes} ${quotaMessages} ${bytes} ${messages}`);
    lines.push(...[...account.subscriptions].map((one) => `account ${account.id} subscribed ${one}`));
    for (const [key, value] of account.metadata) lines.push(`metadata ${account.id} ${key} ${value.toString('hex')}`);
  }
  for (const mailbox of model.mailboxes.values()) {
    const { id, account, name, role, deleted, uidValidity, uidNext, highestModSeq } = mailbox;
    const entries = [...mailbox.entries.values()];
    const counts = [
      entries.length,
      entries.filter((entry) => (entry.flags & 1) === 0).length,
      entries.filter((entry) => (entry.flags & 8) !== 0).length,
      entries.reduce((sum, entry) => sum + entry.octets.length, 0),
      mailbox.retained.size,
    ];
    lines.push(
      `mailbox ${id} ${account} ${name} ${role} ${deleted} ${uidValidity} ${uidNext} ${highestModSeq} ${counts}`,
    );
    lines.push(`words ${id} ${[...mailbox.words].sort().join(' ')}`);
    for (const [modSeq, uids] of mailbox.expunged) lines.push(`expunged ${id} ${modSeq} ${uids}`);
    for (const entry of entries) lines.push(`entry ${id} ${modelEntry(mailbox, entry)}`);
    for (const entry of mailbox.retained.values()) lines.push(`retained ${id} ${modelEntry(mailbox, entry)}`);
  }
  return lines.sort();
}

function modelEntry(mailbox: ModelMailbox, entry: ModelEntry): string {
  const { uid, flags, keywords, modSeq, octets } = entry;
  const uidl = uidlOf({ uidValidity: brandNumber(mailbox.uidValidity) }, { uid: brandNumber(uid), uidl: entry.uidl });
  return `${uid} ${flags} (${keywords.join(' ')}) ${modSeq} ${octets.length} ${uidl}`;
}

function storeLines(store: Store): string[] {
  const catalog = store.catalog();
  const lines: string[] = [];
  for (const { id, row } of catalog.accounts()) {
    lines.push(
      `account ${id} ${row.name} ${row.deleted} ${row.quotaBytes} ${row.quotaMessages} ${row.bytes} ${row.messages}`,
    );
    lines.push(...catalog.subscriptions(id).map((name) => `account ${id} subscribed ${name}`));
    const prefix = kindU32Key(kind.metadata, id);
    for (const [key, value] of catalog.view.range(metadataTable, { from: prefix, to: prefixEnd(prefix) })) {
      lines.push(`metadata ${id} ${key.readUInt32BE(5)} ${key.toString('utf8', 9)} ${value.toString('hex')}`);
    }
  }
  for (const { id, row } of catalog.allMailboxes()) {
    const { account, name, role, deleted, uidValidity, uidNext, highestModSeq } = row;
    const counts = [row.messages, row.unseen, row.flaggedDeleted, row.bytes, row.retainedMessages];
    lines.push(
      `mailbox ${id} ${account} ${name} ${role} ${deleted} ${uidValidity} ${uidNext} ${highestModSeq} ${counts}`,
    );
    lines.push(`words ${id} ${[...catalog.keywords(id)].sort().join(' ')}`);
    const range = { from: u32Key(id), to: prefixEnd(u32Key(id)) };
    for (const [key, { uids }] of catalog.view.range(expungedTable, range)) {
      lines.push(`expunged ${id} ${readU64(key, 4)} ${[...uids].join(' ')}`);
    }
    const entryLine = (entry: Entry): string => {
      const keywords = entry.keywords.map((number) => catalog.keywords(id)[number] ?? '').sort();
      const { uid, flags, modSeq, size } = entry;
      return `${uid} ${flags} (${keywords.join(' ')}) ${modSeq} ${size} ${uidlOf(row, entry)}`;
    };
    const entries = [...catalog.entries(id)];
    lines.push(...entries.map((entry) => `entry ${id} ${entryLine(entry)}`));
    lines.push(...[...catalog.retained(id)].map(({ entry }) => `retained ${id} ${entryLine(entry)}`));
  }
  return lines.sort();
}
