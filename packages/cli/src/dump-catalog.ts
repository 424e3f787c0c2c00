/** What `mstore dump` says about things that the catalog names. */
import {
  type AccountId,
  brandNumber,
  type Catalog,
  type MailboxId,
  type MessageId,
  type StoredMessage,
  type StoreReading,
} from '@mstore/store';
import { accountOf } from './access.ts';
import { CommandError, exit } from './errors.ts';
import type { Explained } from './explained.ts';
import { counted, humanTime, safeText, table } from './text.ts';

const listMax = 100;

export function dumpAccount(catalog: Catalog, name: string, defaultDomain: string): Explained {
  const { id, row } = accountOf(catalog, name, defaultDomain);
  const mailboxes = [...catalog.mailboxes(id)];
  const quota = [
    row.quotaBytes === 0 ? 'no limit of octets' : `up to ${counted(row.quotaBytes, 'octet')}`,
    row.quotaMessages === 0 ? 'no limit of messages' : `up to ${counted(row.quotaMessages, 'message')}`,
  ].join(', ');
  const head = ['mailbox', 'number', 'messages', 'unseen', 'UIDNEXT', 'UIDVALIDITY', 'role'];
  const rows = mailboxes.map(({ id: mailbox, row: m }) =>
    [m.name, mailbox, m.messages, m.unseen, m.uidNext, m.uidValidity, m.role].map((cell) => safeText(String(cell))),
  );
  const text =
    `account ${id}, ${safeText(row.name)}, made ${humanTime(row.createdAt)}\n` +
    `${counted(row.messages, 'message')} of ${counted(row.bytes, 'octet')}; ${quota}\n` +
    `expunged and retained: ${counted(row.retainedMessages, 'message')} of ${counted(row.retainedBytes, 'octet')}\n\n` +
    table([head, ...rows]);
  const value = { kind: 'account', id, ...row, mailboxes: mailboxes.map((m) => ({ id: m.id, ...m.row })) };
  return { value, text };
}

export function dumpMailbox(catalog: Catalog, number: number): Explained {
  const id = brandNumber<MailboxId>(number);
  const row = catalog.mailbox(id);
  if (row === undefined) throw new CommandError(exit.findings, `there is no mailbox ${number}`);
  const owner = catalog.account(row.account)?.name ?? '(unknown)';
  const keywords = catalog.keywords(id);
  const text =
    `mailbox ${id}, ${safeText(row.name)}, of account ${row.account} (${safeText(owner)})${row.deleted ? ', deleted' : ''}\n` +
    table([
      ['made', humanTime(row.createdAt)],
      ['UIDVALIDITY', String(row.uidValidity)],
      ['UIDNEXT', String(row.uidNext)],
      ['HIGHESTMODSEQ', String(row.highestModSeq)],
      ['expunges known above', String(row.expungeFloor)],
      ['messages', `${row.messages} (${counted(row.bytes, 'octet')})`],
      ['unseen', String(row.unseen)],
      ['with \\Deleted', String(row.flaggedDeleted)],
      ['retained', `${row.retainedMessages} (${counted(row.retainedBytes, 'octet')})`],
      ['role', row.role === '' ? 'none' : row.role],
      ['keywords', keywords.length === 0 ? 'none' : keywords.join(' ')],
    ]);
  return { value: { kind: 'mailbox', id, ...row, accountName: owner, keywords }, text };
}

export async function dumpMessage(reading: StoreReading, number: number): Promise<Explained> {
  const catalog = reading.catalog();
  const id = brandNumber<MessageId>(number);
  const row = catalog.message(id);
  if (row === undefined) throw new CommandError(exit.findings, `there is no message ${number}`);
  const places = entriesNaming(catalog, id);
  const first = places.find(({ entry }) => entry !== undefined)?.entry;
  const message = first === undefined ? undefined : await reading.open(first);
  const pieces = message === undefined ? [] : piecesOf(message);
  const text =
    `message ${id}: ${counted(row.size, 'octet')}, header ${counted(row.headerBytes, 'octet')}, SHA-256 ${row.sha.toString('hex')}\n` +
    `its record is at LSN ${row.record.lsn} (${counted(row.record.bytes, 'octet')}); ${counted(row.refs, 'place names', 'places name')} it\n` +
    places
      .slice(0, listMax)
      .map((place) => `  ${safeText(place.text)}\n`)
      .join('') +
    (pieces.length === 0
      ? ''
      : `it is made of\n${pieces
          .slice(0, listMax)
          .map((piece) => `  ${piece.text}\n`)
          .join('')}`) +
    (pieces.length > listMax ? `  … ${pieces.length - listMax} more\n` : '');
  const value = {
    kind: 'message',
    id,
    sha256: row.sha.toString('hex'),
    size: row.size,
    headerBytes: row.headerBytes,
    references: row.refs,
    record: row.record,
    places: places.map(({ account, mailbox, uid, retained }) => ({ account, mailbox, uid, retained })),
    pieces: pieces.map(({ text: _, ...piece }) => piece),
  };
  return { value, text };
}

/** Looks through all mailboxes: the catalog has no list from a message to its places. */
function entriesNaming(catalog: Catalog, id: MessageId) {
  const found = [];
  for (const { id: mailbox, row } of catalog.allMailboxes()) {
    const account = catalog.account(row.account)?.name ?? String(row.account satisfies AccountId);
    for (const entry of catalog.entries(mailbox)) {
      if (entry.message !== id) continue;
      found.push({
        account,
        mailbox,
        uid: entry.uid,
        retained: row.deleted,
        entry,
        text: `${account}, ${row.name}, UID ${entry.uid}`,
      });
    }
    for (const { entry } of catalog.retained(mailbox)) {
      if (entry.message !== id) continue;
      const text = `${account}, ${row.name}, UID ${entry.uid}, expunged and retained`;
      found.push({ account, mailbox, uid: entry.uid, retained: true, entry, text });
    }
  }
  return found;
}

function piecesOf(message: StoredMessage) {
  let at = message.trace.length;
  return message.manifest.map((piece) => {
    const from = at;
    at += piece.bytes;
    if (piece.kind === 'literal')
      return {
        kind: 'literal',
        from,
        bytes: piece.bytes,
        text: `${from}: ${counted(piece.bytes, 'octet')} kept with it`,
      };
    const sha = piece.sha.toString('hex');
    const how = piece.recipe === undefined ? 'as it is' : `in base64, ${piece.recipe.lineBytes} a line`;
    const text = `${from}: ${counted(piece.bytes, 'octet')}, part ${sha}, ${how}`;
    return { kind: 'part', from, bytes: piece.bytes, sha256: sha, contentBytes: piece.contentBytes, text };
  });
}

export function dumpPart(catalog: Catalog, given: string): Explained {
  if (!/^[0-9a-f]{64}$/i.test(given))
    throw new CommandError(exit.usage, 'a part is named by the 64 hexadecimal digits of its SHA-256');
  const sha = Buffer.from(given, 'hex');
  const row = catalog.part(sha);
  if (row === undefined) throw new CommandError(exit.findings, `there is no part ${given}`);
  const messages: MessageId[] = [];
  for (const [id, message] of catalog.messages()) {
    for (let at = 0; at < message.parts.length; at += 32)
      if (message.parts.subarray(at, at + 32).equals(sha)) messages.push(id);
  }
  const stored = row.pieces.reduce((sum, piece) => sum + piece.storedBytes, 0);
  const pieces = row.pieces.map(
    ({ lsn, bytes, contentBytes }) =>
      `  LSN ${lsn}, ${counted(bytes, 'octet')}${contentBytes === 0 ? ', names the others' : ''}\n`,
  );
  const text =
    `part ${given.toLowerCase()}: ${counted(row.size, 'octet')}, stored in ${humanStored(stored)}\n` +
    `${counted(row.refs, 'message names', 'messages name')} it: ${messages.slice(0, listMax).join(', ')}\n` +
    `its records:\n${pieces.join('')}`;
  return { value: { kind: 'part', sha256: given.toLowerCase(), ...row, messages }, text };
}

function humanStored(bytes: number): string {
  return counted(bytes, 'octet');
}
