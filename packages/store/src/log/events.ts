/** What an EVENT says, and its octets (docs/format/log.md, "EVENT"). An event is a result: applying it decides nothing. */
import { DecodeError, type Reader, type Writer } from '../codec/bytes.ts';
import { UidSet } from '../codec/uid-set.ts';
import {
  type AccountId,
  brandNumber,
  type MailboxId,
  type MailboxRole,
  type ModSeq,
  type Sha256,
  type UidValidity,
} from '../types.ts';

const empty = Buffer.alloc(0);

/** Entries that end up with the same flags. */
export interface FlagGroup {
  readonly uids: UidSet;
  readonly flags: number;
  readonly keywords: readonly string[];
}

export interface MailboxName {
  readonly mailbox: MailboxId;
  readonly name: string;
  readonly uidValidity: UidValidity;
}

export type EventBody =
  | { readonly kind: 'accountCreated'; readonly account: AccountId; readonly name: string }
  | { readonly kind: 'accountRenamed'; readonly account: AccountId; readonly name: string }
  | { readonly kind: 'accountDeleted'; readonly account: AccountId }
  | { readonly kind: 'accountPurged'; readonly account: AccountId }
  | { readonly kind: 'quotaSet'; readonly account: AccountId; readonly bytes: number; readonly messages: number }
  | {
      readonly kind: 'mailboxCreated';
      readonly account: AccountId;
      readonly mailbox: MailboxId;
      readonly name: string;
      readonly uidValidity: UidValidity;
      readonly role: MailboxRole;
    }
  | { readonly kind: 'mailboxesRenamed'; readonly account: AccountId; readonly names: readonly MailboxName[] }
  | { readonly kind: 'mailboxDeleted'; readonly mailbox: MailboxId }
  | { readonly kind: 'mailboxPurged'; readonly mailbox: MailboxId }
  | { readonly kind: 'roleSet'; readonly mailbox: MailboxId; readonly role: MailboxRole }
  | { readonly kind: 'subscribed'; readonly account: AccountId; readonly name: string; readonly on: boolean }
  | {
      readonly kind: 'metadataSet';
      readonly account: AccountId;
      readonly mailbox: MailboxId | 0;
      readonly name: string;
      /** Undefined: removed. */
      readonly value: Buffer | undefined;
    }
  | { readonly kind: 'flagsSet'; readonly mailbox: MailboxId; readonly groups: readonly FlagGroup[] }
  | { readonly kind: 'expunged'; readonly mailbox: MailboxId; readonly uids: UidSet; readonly retained: boolean }
  | { readonly kind: 'purged'; readonly mailbox: MailboxId; readonly uids: UidSet }
  | { readonly kind: 'expungeFloor'; readonly mailbox: MailboxId; readonly floor: ModSeq }
  /** Something acknowledged may be missing from the log: no number that it could have given is given again. */
  | { readonly kind: 'historyLost'; readonly epoch: number }
  /** Nothing points into these segments any more; `dropped`: and their files are gone. */
  | { readonly kind: 'segmentsRetired'; readonly segments: readonly number[]; readonly dropped: boolean }
  /** Parts that no message names are forgotten, unless they were written again behind this event. */
  | { readonly kind: 'partsDropped'; readonly hashes: readonly Sha256[] }
  /** The store begins again from a backup, the so-manieth time: what was given since then is not given again. */
  | { readonly kind: 'restored'; readonly epoch: number; readonly restores: number }
  | {
      readonly kind: 'mailboxRestored';
      readonly mailbox: MailboxId;
      readonly name: string;
      readonly uidValidity: UidValidity;
      readonly role: MailboxRole;
    }
  | { readonly kind: 'accountRestored'; readonly account: AccountId; readonly name: string }
  /** Which UIDVALIDITY these names stood for is needed no more. */
  | { readonly kind: 'namesForgotten'; readonly account: AccountId; readonly names: readonly string[] };

export type EventKind = EventBody['kind'];

/** Kinds about the whole store. */
type StoreKind = 'historyLost' | 'segmentsRetired' | 'partsDropped' | 'restored';

type StoreBody = Extract<EventBody, { readonly kind: StoreKind }>;

/** Whether the event makes what its row points to: its octets are live as long as the row does. */
export function isCreation(body: EventBody): boolean {
  return body.kind === 'accountCreated' || body.kind === 'mailboxCreated';
}

export function writeWords(w: Writer, words: readonly string[]): void {
  w.varint(words.length);
  for (const word of words) w.text(word);
}

export function readWords(r: Reader): string[] {
  const count = r.varint();
  if (count > r.remaining) throw new DecodeError(`${count} words in ${r.remaining} octets`);
  const words: string[] = [];
  for (let i = 0; i < count; i++) words.push(r.text());
  return words;
}

/** The number of each kind of event on disk; a number is never used for another kind. */
export const eventNumbers: Readonly<Record<EventKind, number>> = {
  accountCreated: 1,
  accountRenamed: 2,
  accountDeleted: 3,
  accountPurged: 4,
  quotaSet: 5,
  mailboxCreated: 6,
  mailboxesRenamed: 7,
  mailboxDeleted: 8,
  mailboxPurged: 9,
  roleSet: 10,
  subscribed: 11,
  metadataSet: 12,
  flagsSet: 13,
  expunged: 14,
  purged: 15,
  expungeFloor: 16,
  historyLost: 17,
  segmentsRetired: 18,
  partsDropped: 19,
  mailboxRestored: 20,
  accountRestored: 21,
  namesForgotten: 22,
  restored: 24,
};

export function writeEventBody(w: Writer, body: EventBody): void {
  switch (body.kind) {
    case 'accountCreated':
    case 'accountRenamed':
    case 'accountRestored':
      w.varint(body.account).text(body.name);
      break;
    case 'accountDeleted':
    case 'accountPurged':
      w.varint(body.account);
      break;
    case 'quotaSet':
      w.varint(body.account).varint(body.bytes).varint(body.messages);
      break;
    case 'mailboxCreated':
      w.varint(body.account).varint(body.mailbox).text(body.name).varint(body.uidValidity).text(body.role);
      break;
    case 'mailboxesRenamed':
      w.varint(body.account).varint(body.names.length);
      for (const { mailbox, name, uidValidity } of body.names) w.varint(mailbox).text(name).varint(uidValidity);
      break;
    case 'mailboxDeleted':
    case 'mailboxPurged':
      w.varint(body.mailbox);
      break;
    case 'roleSet':
      w.varint(body.mailbox).text(body.role);
      break;
    case 'subscribed':
      w.varint(body.account)
        .text(body.name)
        .u8(body.on ? 1 : 0);
      break;
    case 'metadataSet':
      w.varint(body.account)
        .varint(body.mailbox)
        .text(body.name)
        .u8(body.value === undefined ? 0 : 1);
      w.block(body.value ?? empty);
      break;
    case 'mailboxRestored':
      w.varint(body.mailbox).text(body.name).varint(body.uidValidity).text(body.role);
      break;
    case 'namesForgotten':
      w.varint(body.account);
      writeWords(w, body.names);
      break;
    default:
      writeEntriesBody(w, body);
  }
}

type EntriesKind = 'flagsSet' | 'expunged' | 'purged' | 'expungeFloor' | StoreKind;

/** Events about entries, and about the whole store. */
function writeEntriesBody(w: Writer, body: Extract<EventBody, { readonly kind: EntriesKind }>): void {
  switch (body.kind) {
    case 'flagsSet':
      w.varint(body.mailbox);
      writeFlagGroups(w, body.groups);
      break;
    case 'expunged':
      w.varint(body.mailbox).u8(body.retained ? 1 : 0);
      body.uids.encode(w);
      break;
    case 'purged':
      w.varint(body.mailbox);
      body.uids.encode(w);
      break;
    case 'expungeFloor':
      w.varint(body.mailbox).varint(body.floor);
      break;
    default:
      writeStoreBody(w, body);
  }
}

function writeStoreBody(w: Writer, body: StoreBody): void {
  switch (body.kind) {
    case 'historyLost':
      w.varint(body.epoch);
      break;
    case 'segmentsRetired':
      w.u8(body.dropped ? 1 : 0).varint(body.segments.length);
      for (const number of body.segments) w.varint(number);
      break;
    case 'partsDropped':
      w.varint(body.hashes.length);
      for (const sha of body.hashes) w.bytes(sha);
      break;
    case 'restored':
      w.varint(body.epoch).varint(body.restores);
      break;
  }
}

export function writeFlagGroups(w: Writer, groups: readonly FlagGroup[]): void {
  w.varint(groups.length);
  for (const group of groups) {
    w.u8(group.flags);
    writeWords(w, group.keywords);
    group.uids.encode(w);
  }
}

export function readFlagGroups(r: Reader): FlagGroup[] {
  const groups: FlagGroup[] = [];
  for (let left = r.varint(); left > 0; left--) {
    const flags = r.u8();
    const keywords = readWords(r);
    groups.push({ flags, keywords, uids: UidSet.decode(r) });
  }
  return groups;
}

const accountIn = (r: Reader): AccountId => brandNumber<AccountId>(r.varint());
const mailboxIn = (r: Reader): MailboxId => brandNumber<MailboxId>(r.varint());
const validityIn = (r: Reader): UidValidity => brandNumber<UidValidity>(r.varint());

const roleNames: ReadonlySet<string> = new Set(['drafts', 'sent', 'junk', 'trash', 'archive', 'flagged', 'all']);

export function isRole(text: string): text is MailboxRole {
  return text === '' || roleNames.has(text);
}

function roleIn(r: Reader): MailboxRole {
  const text = r.text();
  if (!isRole(text)) throw new DecodeError('unknown mailbox role');
  return text;
}

/** How each kind of event reads its own octets, by number. */
const eventReaders: Readonly<Record<number, (r: Reader) => EventBody>> = {
  1: (r) => ({ kind: 'accountCreated', account: accountIn(r), name: r.text() }),
  2: (r) => ({ kind: 'accountRenamed', account: accountIn(r), name: r.text() }),
  3: (r) => ({ kind: 'accountDeleted', account: accountIn(r) }),
  4: (r) => ({ kind: 'accountPurged', account: accountIn(r) }),
  5: (r) => ({ kind: 'quotaSet', account: accountIn(r), bytes: r.varint(), messages: r.varint() }),
  6: (r) => ({
    kind: 'mailboxCreated',
    account: accountIn(r),
    mailbox: mailboxIn(r),
    name: r.text(),
    uidValidity: validityIn(r),
    role: roleIn(r),
  }),
  7: (r) => {
    const account = accountIn(r);
    const names: MailboxName[] = [];
    for (let left = r.varint(); left > 0; left--) {
      names.push({ mailbox: mailboxIn(r), name: r.text(), uidValidity: validityIn(r) });
    }
    return { kind: 'mailboxesRenamed', account, names };
  },
  8: (r) => ({ kind: 'mailboxDeleted', mailbox: mailboxIn(r) }),
  9: (r) => ({ kind: 'mailboxPurged', mailbox: mailboxIn(r) }),
  10: (r) => ({ kind: 'roleSet', mailbox: mailboxIn(r), role: roleIn(r) }),
  11: (r) => ({ kind: 'subscribed', account: accountIn(r), name: r.text(), on: r.u8() === 1 }),
  12: (r) => {
    const account = accountIn(r);
    const number = r.varint();
    const mailbox = number === 0 ? 0 : brandNumber<MailboxId>(number);
    const name = r.text();
    const present = r.u8() === 1;
    const value = Buffer.from(r.block());
    return { kind: 'metadataSet', account, mailbox, name, value: present ? value : undefined };
  },
  13: (r) => ({ kind: 'flagsSet', mailbox: mailboxIn(r), groups: readFlagGroups(r) }),
  14: (r) => ({ kind: 'expunged', mailbox: mailboxIn(r), retained: r.u8() === 1, uids: UidSet.decode(r) }),
  15: (r) => ({ kind: 'purged', mailbox: mailboxIn(r), uids: UidSet.decode(r) }),
  16: (r) => ({ kind: 'expungeFloor', mailbox: mailboxIn(r), floor: brandNumber<ModSeq>(r.varint()) }),
  17: (r) => ({ kind: 'historyLost', epoch: r.varint() }),
  18: (r) => {
    const dropped = r.u8() === 1;
    const segments: number[] = [];
    for (let left = r.varint(); left > 0; left--) segments.push(r.varint());
    return { kind: 'segmentsRetired', segments, dropped };
  },
  19: (r) => {
    const hashes: Sha256[] = [];
    for (let left = r.varint(); left > 0; left--) hashes.push(Buffer.from(r.bytes(32)));
    return { kind: 'partsDropped', hashes };
  },
  24: (r) => ({ kind: 'restored', epoch: r.varint(), restores: r.varint() }),
  20: (r) => ({
    kind: 'mailboxRestored',
    mailbox: mailboxIn(r),
    name: r.text(),
    uidValidity: validityIn(r),
    role: roleIn(r),
  }),
  21: (r) => ({ kind: 'accountRestored', account: accountIn(r), name: r.text() }),
  22: (r) => ({ kind: 'namesForgotten', account: accountIn(r), names: readWords(r) }),
};

/** @throws DecodeError for an unknown number or octets that are not such an event's */
export function readEventBody(number: number, r: Reader): EventBody {
  const read = eventReaders[number];
  if (read === undefined) throw new DecodeError(`event ${number}`);
  return read(r);
}
