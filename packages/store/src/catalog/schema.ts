/**
 * The tables: what each holds, under which key, and what must always be true of them. `upkeep/check.ts` checks the
 * invariants in this order; docs/format/catalog.md gives the octets.
 *
 *  1. meta          one row: `appliedLsn` never exceeds the durable log's end; every id in use is at or below its counter.
 *  2. accounts      a live account's name row leads to it; messages and bytes are the sums over its live mailboxes, the
 *                   retained figures the sums over retained rows and deleted mailboxes; mailboxes counts the live ones.
 *  3. mailboxes     a live mailbox's name row leads to it, and no other name row exists; UIDs are below UIDNEXT;
 *                   HIGHESTMODSEQ is at least every entry's MODSEQ; counts and octets equal its entries.
 *  4. keywords      an entry's keyword numbers are below the length of its mailbox's list; words differ ignoring case.
 *  5. uids          a UID is present exactly when its entry is in index; it is unseen exactly when \Seen is not set.
 *  6. index         no empty chunk; an entry's record lies in the log; its message exists.
 *  7. retained      never the UID of a live entry; its message exists.
 *  8. expunged      MODSEQs above the floor; UIDs absent from index and below UIDNEXT.
 *  9. uidls         exactly the imported UIDLs of live and retained entries.
 * 10. messages      refs equals the live and retained entries that name it and is never 0; every part it lists exists.
 * 11. messageHashes exactly one row per message, leading to it.
 * 12. threads       refs equals the entries of the account that bear or name the Message-ID and is never 0.
 * 13. parts         refs equals the messages that list it; 0 is allowed (it may be named again) for one that has a place.
 * 14. segments      live, dead, other, restated and idle equal what the rows and the log say; nothing points into a retired one.
 * 15. due           exactly the retained entries, deleted mailboxes and accounts, and expunges, each under its time; the
 *                   deleted mailboxes of each account; the accounts with a retention of their own, and those whose deletion
 *                   is not finished.
 *     totals        equal the sums over the rows.
 */
import type { AccountId, MailboxId, MessageId, ModSeq } from '../types.ts';
import { IndexChunk } from './index-chunk.ts';
import {
  accountNameText,
  accountThreadText,
  dueKind,
  expungedText,
  type KeyText,
  keyText,
  kind,
  kindU32Text,
  metadataText,
  ownedNameText,
  stateText,
  timedText,
  u32PairText,
  u32Text,
  u64Text,
  uidlText,
} from './keys.ts';
import type { TableName } from './kv.ts';
import { messageCodec } from './message-row.ts';
import {
  accountCodec,
  expungedCodec,
  mailboxCodec,
  numberCodec,
  octetsCodec,
  partCodec,
  type RowCodec,
  retainedCodec,
  segmentCodec,
  slotsCodec,
  stateCodec,
  threadCodec,
  wordsCodec,
} from './row-codecs.ts';
import type {
  AccountRow,
  ExpungedRow,
  MailboxRow,
  MessageRow,
  PartRow,
  RetainedRow,
  SegmentRow,
  SlotsRow,
  StateRow,
  ThreadRow,
} from './rows.ts';
import { UidPage } from './uid-pages.ts';

/** The catalog's format version; every other is refused, a lower one until the store is upgraded. */
export const catalogFormat = 2;

/** A kind of row: its table, its key and its octets. */
export interface Table<Key extends readonly unknown[], Row> {
  readonly name: TableName;
  /** Distinguishes kinds of row that share a table. */
  readonly codec: RowCodec<Row>;
  key(...key: Key): KeyText;
}

const chunkCodec: RowCodec<IndexChunk> = {
  encode: (chunk) => chunk.encode(),
  decode: (octets) => IndexChunk.decode(octets),
  copy: (chunk) => chunk.copy(),
};

const pageCodec: RowCodec<UidPage> = {
  encode: (page) => page.encode(),
  decode: (octets) => UidPage.decode(octets),
  copy: (page) => page.copy(),
};

function table<Key extends readonly unknown[], Row>(
  name: TableName,
  codec: RowCodec<Row>,
  key: (...key: Key) => KeyText,
): Table<Key, Row> {
  return { name, codec, key };
}

export const stateTable: Table<[], StateRow> = table('meta', stateCodec, () => stateText);
export const accountTable: Table<[AccountId], AccountRow> = table('accounts', accountCodec, (id) =>
  kindU32Text(kind.row, id),
);
/** Lower-case name → account id. */
export const accountNameTable: Table<[string], number> = table('accounts', numberCodec, accountNameText);
export const subscriptionTable: Table<[AccountId, string], number> = table('accounts', numberCodec, (account, name) =>
  ownedNameText(kind.subscription, account, name),
);
/** Mailbox 0: the account's own. */
export const metadataTable: Table<[AccountId, MailboxId | 0, string], Buffer> = table(
  'accounts',
  octetsCodec,
  metadataText,
);
export const mailboxTable: Table<[MailboxId], MailboxRow> = table('mailboxes', mailboxCodec, (id) =>
  kindU32Text(kind.row, id),
);
/** Account and name → mailbox id. */
export const mailboxNameTable: Table<[AccountId, string], number> = table('mailboxes', numberCodec, (account, name) =>
  ownedNameText(kind.name, account, name),
);
/** Account and a name that a mailbox bore → the highest UIDVALIDITY it had under that name. */
export const nameMemoryTable: Table<[AccountId, string], number> = table('mailboxes', numberCodec, (account, name) =>
  ownedNameText(kind.nameMemory, account, name),
);
export const keywordTable: Table<[MailboxId], string[]> = table('keywords', wordsCodec, u32Text);
/** Mailbox and UID ÷ 8192. */
export const uidTable: Table<[MailboxId, number], UidPage> = table('uids', pageCodec, u32PairText);
/** Mailbox and UID ÷ 64. */
export const indexTable: Table<[MailboxId, number], IndexChunk> = table('index', chunkCodec, u32PairText);
/** Mailbox and UID. */
export const retainedTable: Table<[MailboxId, number], RetainedRow> = table('retained', retainedCodec, u32PairText);
export const expungedTable: Table<[MailboxId, ModSeq], ExpungedRow> = table('expunged', expungedCodec, expungedText);
/** Mailbox and imported UIDL → UID. */
export const uidlTable: Table<[MailboxId, string], number> = table('uidls', numberCodec, uidlText);
export const messageTable: Table<[MessageId], MessageRow> = table('messages', messageCodec, u64Text);
export const messageHashTable: Table<[Buffer], number> = table('messageHashes', numberCodec, keyText);
export const threadTable: Table<[AccountId, Buffer], ThreadRow> = table('threads', threadCodec, accountThreadText);
export const partTable: Table<[Buffer], PartRow> = table('parts', partCodec, keyText);
export const segmentTable: Table<[number], SegmentRow> = table('segments', segmentCodec, u64Text);
/** Time of expunge, mailbox, UID ÷ 64 → which of these are retained since then. */
export const dueRetainedTable: Table<[number, MailboxId, number], SlotsRow> = table(
  'due',
  slotsCodec,
  (seconds, mailbox, number) => timedText(dueKind.retained, seconds) + u32PairText(mailbox, number),
);
/** Time of deletion and mailbox. */
export const dueMailboxTable: Table<[number, MailboxId], number> = table(
  'due',
  numberCodec,
  (seconds, mailbox) => timedText(dueKind.mailbox, seconds) + u32Text(mailbox),
);
/** Time of deletion and account. */
export const dueAccountTable: Table<[number, AccountId], number> = table(
  'due',
  numberCodec,
  (seconds, account) => timedText(dueKind.account, seconds) + u32Text(account),
);
/** Account and a deleted mailbox of it. */
export const deletedMailboxTable: Table<[AccountId, MailboxId], number> = table(
  'due',
  numberCodec,
  (account, mailbox) => kindU32Text(dueKind.mailboxOf, account) + u32Text(mailbox),
);
/** Accounts that have a retention of their own. */
export const ownRetentionTable: Table<[AccountId], number> = table('due', numberCodec, (account) =>
  kindU32Text(dueKind.retentionOf, account),
);
/** Deleted accounts with mailboxes that are not deleted yet. */
export const unfinishedTable: Table<[AccountId], number> = table('due', numberCodec, (account) =>
  kindU32Text(dueKind.unfinished, account),
);
/** Time of an expunge, mailbox, MODSEQ: the rows of `expunged` in the order of time. */
export const dueExpungeTable: Table<[number, MailboxId, ModSeq], number> = table(
  'due',
  numberCodec,
  (seconds, mailbox, modSeq) => timedText(dueKind.expunge, seconds) + expungedText(mailbox, modSeq),
);
