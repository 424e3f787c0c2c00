/**
 * Everything a catalog says, as lines of text: two catalogs of one log are compared by it. Entries bear the names of their
 * keywords and the UIDL that clients see, so that a difference can be read.
 */
import { createHash } from 'node:crypto';
import type { AccountId, MailboxId } from '@mstore/store';
import { type Entry, limits, type MailboxRow } from '@mstore/store';
import { Catalog } from '@mstore/store/internal/catalog/catalog';
import { kind, kindU32Key, prefixEnd, readU64, u32Key } from '@mstore/store/internal/catalog/keys';
import {
  accountNameTable,
  dueRetainedTable,
  expungedTable,
  mailboxNameTable,
  messageHashTable,
  metadataTable,
  nameMemoryTable,
  threadTable,
  uidlTable,
} from '@mstore/store/internal/catalog/schema';
import type { View } from '@mstore/store/internal/catalog/write-set';
import { partsOf } from '@mstore/store/internal/log/references';

const everything = { from: Buffer.alloc(0), to: Buffer.alloc(limits.mailboxNameBytes, 0xff) };

/** What can be asked for a catalog. */
export interface CatalogSource {
  catalog(): Catalog;
}

/** The full dump of a store as it is now; taken in one turn of the event loop. */
export function dumpStore(reading: CatalogSource): string[] {
  return dumpView(reading.catalog().view);
}

export function dumpView(view: View): string[] {
  const catalog = new Catalog(view);
  return [
    ...stateLines(catalog),
    ...accountLines(catalog),
    ...mailboxLines(catalog),
    ...nameLines(view),
    ...messageLines(catalog),
    ...threadLines(view),
    ...partLines(catalog),
    ...dueLines(view),
    // One that holds nothing but the COMMIT of a clean stop comes and goes with closing.
    ...[...catalog.segments()]
      .filter(([, row]) => row.live + row.dead + row.lastSequence > 0)
      .map(([number, row]) => `segment ${number} ${pairs(row)}`),
  ];
}

/** The UIDL that POP3 shows: imported, or made of UIDVALIDITY and UID. */
export function uidlOf(row: Pick<MailboxRow, 'uidValidity'>, entry: Pick<Entry, 'uid' | 'uidl'>): string {
  if (entry.uidl !== '') return entry.uidl;
  return row.uidValidity.toString(16).padStart(8, '0') + entry.uid.toString(16).padStart(8, '0');
}

/** Lines that only one of two dumps has: `-` wanted, `+` found. */
export function difference(found: readonly string[], wanted: readonly string[]): string[] {
  const inFound = new Set(found);
  const inWanted = new Set(wanted);
  const missing = wanted.filter((line) => !inFound.has(line)).map((line) => `- ${line}`);
  return [...missing, ...found.filter((line) => !inWanted.has(line)).map((line) => `+ ${line}`)];
}

function stateLines(catalog: Catalog): string[] {
  const state = catalog.state();
  if (state === undefined) return ['no state'];
  const { totals, storeId, ...rest } = state;
  return [`state ${storeId.toString('hex')} ${pairs(rest)}`, `totals ${pairs(totals)}`];
}

function accountLines(catalog: Catalog): string[] {
  const lines: string[] = [];
  for (const { id, row } of catalog.accounts()) {
    lines.push(`account ${id} ${pairs(row)}`);
    for (const name of catalog.subscriptions(id)) lines.push(`account ${id} subscribed ${JSON.stringify(name)}`);
    lines.push(...metadataLines(catalog.view, id));
  }
  return lines;
}

function metadataLines(view: View, account: AccountId): string[] {
  const prefix = kindU32Key(kind.metadata, account);
  const rows = [...view.range(metadataTable, { from: prefix, to: prefixEnd(prefix) })];
  return rows.map(([key, value]) => {
    const name = JSON.stringify(key.toString('utf8', 9));
    return `account ${account} mailbox ${key.readUInt32BE(5)} metadata ${name} ${value.toString('hex')}`;
  });
}

function mailboxLines(catalog: Catalog): string[] {
  const lines: string[] = [];
  for (const { id, row } of catalog.allMailboxes()) {
    lines.push(`mailbox ${id} ${pairs(row)}`);
    const words = catalog.keywords(id);
    if (words.length > 0) lines.push(`mailbox ${id} keywords ${words.join(' ')}`);
    for (const entry of catalog.entries(id)) lines.push(`mailbox ${id} entry ${entryText(row, words, entry)}`);
    for (const { entry, expungedAt } of catalog.retained(id)) {
      lines.push(`mailbox ${id} retained ${entryText(row, words, entry)} expungedAt=${expungedAt}`);
    }
    lines.push(...pageLines(catalog, id), ...expungedLines(catalog.view, id));
  }
  return lines;
}

function entryText(row: MailboxRow, words: readonly string[], entry: Entry): string {
  const { keywords, uidl: _uidl, ...rest } = entry;
  const names = keywords.map((number) => words[number] ?? `?${number}`).sort();
  return `${pairs(rest)} keywords=(${names.join(' ')}) uidl=${uidlOf(row, entry)}`;
}

function pageLines(catalog: Catalog, id: MailboxId): string[] {
  const lines: string[] = [];
  for (const [number, page] of catalog.uidPages(id)) {
    const uids = [...page.uids(number)].map((uid) => (page.isUnseen(uid) ? `${uid}*` : `${uid}`));
    lines.push(`mailbox ${id} page ${number} ${uids.join(' ')}`);
  }
  return lines;
}

function expungedLines(view: View, id: MailboxId): string[] {
  const prefix = u32Key(id);
  const rows = [...view.range(expungedTable, { from: prefix, to: prefixEnd(prefix) })];
  return rows.map(([key, row]) => `mailbox ${id} expunged ${readU64(key, 4)} at ${row.expungedAt}: ${row.uids}`);
}

/** Rows that lead from names to ids. */
function nameLines(view: View): string[] {
  const lines: string[] = [];
  const kindRange = (octet: number) => ({ from: Buffer.of(octet), to: Buffer.of(octet + 1) });
  for (const [key, id] of view.range(accountNameTable, kindRange(kind.name))) {
    lines.push(`name ${JSON.stringify(key.toString('utf8', 1))} is account ${id}`);
  }
  for (const [key, id] of view.range(mailboxNameTable, kindRange(kind.name))) {
    lines.push(`name ${JSON.stringify(key.toString('utf8', 5))} of ${key.readUInt32BE(1)} is mailbox ${id}`);
  }
  for (const [key, value] of view.range(nameMemoryTable, kindRange(kind.nameMemory))) {
    lines.push(`name ${JSON.stringify(key.toString('utf8', 5))} of ${key.readUInt32BE(1)} bore ${value}`);
  }
  for (const [key, uid] of view.range(uidlTable, everything)) {
    lines.push(`uidl ${key.toString('latin1', 4)} of mailbox ${key.readUInt32BE(0)} is UID ${uid}`);
  }
  return lines;
}

function messageLines(catalog: Catalog): string[] {
  const lines: string[] = [];
  for (const [id, row] of catalog.messages()) {
    const { record, sha, parts: _parts, envelope, bodyStructure, listedFields, threadKeys, ...rest } = row;
    const parts = [...partsOf(row)].map((part) => part.toString('hex', 0, 6));
    const derived = [envelope, bodyStructure, listedFields, threadKeys].map(fingerprint).join(' ');
    lines.push(
      `message ${id} sha=${sha.toString('hex')} lsn=${record.lsn}+${record.bytes} ${pairs(rest)} parts=(${parts.join(' ')}) ${derived}`,
    );
  }
  for (const [key, id] of catalog.view.range(messageHashTable, everything)) {
    lines.push(`hash ${key.toString('hex')} is message ${id}`);
  }
  return lines;
}

function threadLines(view: View): string[] {
  const rows = [...view.range(threadTable, everything)];
  return rows.map(([key, row]) => `thread key ${key.toString('hex', 4)} of ${key.readUInt32BE(0)} ${pairs(row)}`);
}

function partLines(catalog: Catalog): string[] {
  return [...catalog.parts()].map(([sha, row]) => {
    const pieces = row.pieces.map((piece) => `${piece.lsn}+${piece.bytes}/${piece.contentBytes}/${piece.storedBytes}`);
    return `part ${sha.toString('hex')} refs=${row.refs} size=${row.size} pieces=(${pieces.join(' ')})`;
  });
}

function dueLines(view: View): string[] {
  const lines: string[] = [];
  for (const [key, { low, high }] of view.range(dueRetainedTable, { from: Buffer.of(1), to: Buffer.of(2) })) {
    lines.push(`due ${key.toString('hex')} ${low} ${high}`);
  }
  const others = view.keys('due', { from: Buffer.of(2), to: Buffer.of(0xff) });
  return [...lines, ...others.map((key) => `due ${key.toString('hex')}`)];
}

function fingerprint(octets: Buffer): string {
  return `${octets.length}:${createHash('sha256').update(octets).digest('hex').slice(0, 8)}`;
}

function pairs(row: object): string {
  return Object.entries(row)
    .map(([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : text(value)}`)
    .join(' ');
}

function text(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
