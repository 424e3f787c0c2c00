/**
 * What a store holds, in lines of text that no release may come to read otherwise: what clients were told, and every message
 * octet for octet. Where things lie, and how the catalog keeps them, is not in it.
 */
import { createHash } from 'node:crypto';
import type { AccountId, Entry, NamedMailbox, StoreReading } from '@mstore/store';
import { kind, kindU32Key, prefixEnd, readU64, u32Key } from '@mstore/store/internal/catalog/keys';
import { expungedTable, metadataTable, nameMemoryTable } from '@mstore/store/internal/catalog/schema';
import { uidlOf } from '../support/dump-store.ts';

/** The lines of a store that nobody changes meanwhile. */
export async function contentsOf(reading: StoreReading): Promise<string[]> {
  const catalog = reading.catalog();
  const state = catalog.state();
  if (state === undefined) throw new Error('a catalog has a state row');
  const { epoch, sequence, account, mailbox, message, thread, uidValidity, totals } = state;
  const lines = [
    `store ${state.storeId.toString('hex')} epoch=${epoch} sequence=${sequence}`,
    `highest account=${account} mailbox=${mailbox} message=${message} thread=${thread} uidvalidity=${uidValidity}`,
    `messages=${totals.messages} octets=${totals.messageBytes} parts=${totals.parts} octets=${totals.partBytes} shared=${totals.sharedBytes}`,
  ];
  for (const { id } of catalog.accounts()) lines.push(...accountLines(reading, id));
  for (const named of catalog.allMailboxes()) lines.push(...(await mailboxLines(reading, named)));
  for (const [id, row] of catalog.messages()) {
    const { refs, size, headerBytes, envelope, bodyStructure, listedFields } = row;
    lines.push(`message ${id} ${row.sha.toString('hex')} refs=${refs} octets=${size} header=${headerBytes}`);
    lines.push(`message ${id} envelope ${shown(envelope)}`, `message ${id} structure ${shown(bodyStructure)}`);
    lines.push(`message ${id} fields ${shown(listedFields)}`);
  }
  for (const [sha, { refs, size }] of catalog.parts()) {
    if (refs > 0) lines.push(`part ${sha.toString('hex')} refs=${refs} octets=${size}`);
  }
  return lines;
}

function accountLines(reading: StoreReading, id: AccountId): string[] {
  const catalog = reading.catalog();
  const row = catalog.account(id);
  if (row === undefined) return [];
  const { name, deleted, createdAt, deletedAt, quotaBytes, quotaMessages, messages, bytes, mailboxes } = row;
  const lines = [
    `account ${id} ${JSON.stringify(name)} created=${createdAt}${deleted ? ` deleted=${deletedAt}` : ''}`,
    `account ${id} quota=${quotaBytes}/${quotaMessages} mailboxes=${mailboxes} messages=${messages} octets=${bytes}`,
    `account ${id} retained messages=${row.retainedMessages} octets=${row.retainedBytes}`,
    ...catalog.subscriptions(id).map((subscribed) => `account ${id} subscribed ${JSON.stringify(subscribed)}`),
  ];
  const metadata = kindU32Key(kind.metadata, id);
  for (const [key, value] of catalog.view.range(metadataTable, { from: metadata, to: prefixEnd(metadata) })) {
    const entry = key.toString('utf8', 9);
    lines.push(`account ${id} mailbox ${key.readUInt32BE(5)} metadata ${entry} ${value.toString('hex')}`);
  }
  const memory = kindU32Key(kind.nameMemory, id);
  for (const [key, value] of catalog.view.range(nameMemoryTable, { from: memory, to: prefixEnd(memory) })) {
    lines.push(`account ${id} name ${JSON.stringify(key.toString('utf8', 5))} bore UIDVALIDITY ${value}`);
  }
  return lines;
}

async function mailboxLines(reading: StoreReading, { id, row }: NamedMailbox): Promise<string[]> {
  const catalog = reading.catalog();
  const { account, name, deleted, uidValidity, uidNext, highestModSeq, expungeFloor, role } = row;
  const words = catalog.keywords(id);
  const lines = [
    `mailbox ${id} of ${account} ${JSON.stringify(name)} role=${role}${deleted ? ` deleted=${row.deletedAt}` : ''}`,
    `mailbox ${id} uidvalidity=${uidValidity} uidnext=${uidNext} highestmodseq=${highestModSeq} floor=${expungeFloor}`,
    `mailbox ${id} messages=${row.messages} unseen=${row.unseen} octets=${row.bytes} retained=${row.retainedMessages}`,
  ];
  if (words.length > 0) lines.push(`mailbox ${id} keywords ${words.join(' ')}`);
  const text = async (entry: Entry): Promise<string> => {
    const { uid, flags, modSeq, internalDate, saveDate, size, message, thread, email } = entry;
    const keywords = entry.keywords.map((number) => words[number] ?? `?${number}`).sort();
    const octets = createHash('sha256').update(await (await reading.open(entry)).whole());
    return (
      `uid=${uid} flags=${flags} (${keywords.join(' ')}) modseq=${modSeq} dates=${internalDate}/${saveDate} octets=${size} ` +
      `message=${message} thread=${thread} email=${email} uidl=${uidlOf(row, entry)} sha256=${octets.digest('hex')}`
    );
  };
  for (const entry of [...catalog.entries(id)]) lines.push(`mailbox ${id} entry ${await text(entry)}`);
  for (const { entry, expungedAt } of [...reading.catalog().retained(id)]) {
    lines.push(`mailbox ${id} expunged at ${expungedAt}, kept: ${await text(entry)}`);
  }
  const prefix = u32Key(id);
  for (const [key, { uids }] of reading.catalog().view.range(expungedTable, { from: prefix, to: prefixEnd(prefix) })) {
    lines.push(`mailbox ${id} expunged modseq=${readU64(key, 4)} uids=${uids.toString()}`);
  }
  return lines;
}

/** Short octets as they are, long ones by their hash. */
function shown(octets: Buffer): string {
  if (octets.length <= 400) return JSON.stringify(octets.toString('latin1'));
  return `${octets.length} octets, sha256=${createHash('sha256').update(octets).digest('hex')}`;
}
