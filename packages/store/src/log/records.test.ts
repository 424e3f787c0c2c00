import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../codec/bytes.ts';
import { UidSet } from '../codec/uid-set.ts';
import { heapFormat } from '../heap/heap.ts';
import type { HeapRecord, NewRecord } from '../heap/location.ts';
import { limits } from '../limits.ts';
import {
  type AccountId,
  brandNumber,
  type EmailId,
  type Location,
  type Lsn,
  type MailboxId,
  type MailboxRole,
  type MessageId,
  type ModSeq,
  type ThreadId,
  type Uid,
  type UidValidity,
} from '../types.ts';
import { type EventBody, type EventKind, eventNumbers } from './events.ts';
import type { Manifest } from './manifest.ts';
import {
  type ChunkPlace,
  decodeEntry,
  decodeMessage,
  decodeRecord,
  type EntryRecord,
  encodeChunk,
  encodeClosing,
  encodeEntry,
  encodeEvent,
  encodeMessage,
  encodePart,
  messagePayload,
  type Payload,
  recordType,
} from './records.ts';

const place: Location = { lsn: brandNumber<Lsn>(4248), bytes: 128 };

/** The record as the heap gives it back. */
function read(written: NewRecord, location: Location = place): HeapRecord {
  const { type, fields, payload } = written;
  return { type, format: heapFormat, location, fields, payload, storedBytes: payload.length };
}

function plain(octets: Buffer): Payload {
  return { octets, codec: 0, plainBytes: octets.length };
}

/** Ordinary objects, as decoders make them. */
function record<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

const whole = fc.maxSafeNat();
const seconds = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const words = fc.array(text, { maxLength: 5 });
const octets = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));
const sha = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
const u32 = fc.integer({ min: 1, max: 0xffff_ffff });
const account = u32.map((n) => brandNumber<AccountId>(n));
const mailbox = u32.map((n) => brandNumber<MailboxId>(n));
const uidValidity = u32.map((n) => brandNumber<UidValidity>(n));
const uids = fc.array(fc.oneof(u32, fc.integer({ min: 1, max: 40 })), { maxLength: 30 }).map((some) => UidSet.of(some));
const flags = fc.nat(31);
const role = fc.constantFrom<MailboxRole>('', 'drafts', 'sent', 'junk', 'trash', 'archive', 'flagged', 'all');
const modSeq = whole.map((n) => brandNumber<ModSeq>(n));

const bodies: { readonly [Kind in EventKind]: fc.Arbitrary<EventBody> } = {
  accountCreated: record({ kind: fc.constant('accountCreated'), account, name: text }),
  accountRenamed: record({ kind: fc.constant('accountRenamed'), account, name: text }),
  accountDeleted: record({ kind: fc.constant('accountDeleted'), account }),
  accountPurged: record({ kind: fc.constant('accountPurged'), account }),
  quotaSet: record({ kind: fc.constant('quotaSet'), account, bytes: whole, messages: whole }),
  mailboxCreated: record({ kind: fc.constant('mailboxCreated'), account, mailbox, name: text, uidValidity, role }),
  mailboxesRenamed: record({
    kind: fc.constant('mailboxesRenamed'),
    account,
    names: fc.array(record({ mailbox, name: text, uidValidity }), { maxLength: 5 }),
  }),
  mailboxDeleted: record({ kind: fc.constant('mailboxDeleted'), mailbox }),
  mailboxPurged: record({ kind: fc.constant('mailboxPurged'), mailbox }),
  roleSet: record({ kind: fc.constant('roleSet'), mailbox, role }),
  subscribed: record({ kind: fc.constant('subscribed'), account, name: text, on: fc.boolean() }),
  metadataSet: record({
    kind: fc.constant('metadataSet'),
    account,
    mailbox: fc.oneof(mailbox, fc.constant<0>(0)),
    name: text,
    value: fc.option(octets, { nil: undefined }),
  }),
  flagsSet: record({
    kind: fc.constant('flagsSet'),
    mailbox,
    groups: fc.array(record({ flags, keywords: words, uids }), { maxLength: 5 }),
  }),
  expunged: record({ kind: fc.constant('expunged'), mailbox, uids, retained: fc.boolean() }),
  purged: record({ kind: fc.constant('purged'), mailbox, uids }),
  expungeFloor: record({ kind: fc.constant('expungeFloor'), mailbox, floor: modSeq }),
  historyLost: record({ kind: fc.constant('historyLost'), epoch: whole }),
  segmentsRetired: record({
    kind: fc.constant('segmentsRetired'),
    segments: fc.array(whole, { maxLength: 5 }),
    dropped: fc.boolean(),
  }),
  partsDropped: record({ kind: fc.constant('partsDropped'), hashes: fc.array(sha, { maxLength: 5 }) }),
  mailboxRestored: record({ kind: fc.constant('mailboxRestored'), mailbox, name: text, uidValidity, role }),
  accountRestored: record({ kind: fc.constant('accountRestored'), account, name: text }),
  namesForgotten: record({ kind: fc.constant('namesForgotten'), account, names: words }),
  restored: record({ kind: fc.constant('restored'), epoch: whole, restores: whole }),
};

const entries: fc.Arbitrary<EntryRecord> = record({
  type: fc.constant('entry'),
  sequence: whole,
  account,
  mailbox,
  uid: u32.map((n) => brandNumber<Uid>(n)),
  modSeq,
  internalDate: seconds,
  saveDate: seconds,
  flags,
  keywords: words,
  uidl: text,
  thread: whole.map((n) => brandNumber<ThreadId>(n)),
  email: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map((n) => brandNumber<EmailId>(n)),
  size: whole,
  message: whole.map((n) => brandNumber<MessageId>(n)),
  trace: octets,
});

for (const [kind, body] of Object.entries(bodies)) {
  test(`property: an event "${kind}" comes back as it was written`, () => {
    fc.assert(
      fc.property(whole, seconds, body, (sequence, time, given) => {
        const decoded = decodeRecord(read(encodeEvent(sequence, time, given)));
        assert.deepEqual(decoded, { type: 'event', sequence, time, body: given });
      }),
    );
  });
}

test('every kind of event has a number of its own', () => {
  const numbers = Object.values(eventNumbers);
  assert.equal(new Set(numbers).size, numbers.length);
  assert.deepEqual(Object.keys(bodies), Object.keys(eventNumbers));
});

test('property: an entry comes back as it was written', () => {
  fc.assert(fc.property(entries, (entry) => assert.deepEqual(decodeRecord(read(encodeEntry(entry))), entry)));
});

test('an entry of email id 0 has its own LSN', () => {
  const [entry] = fc.sample(entries, 1);
  assert.ok(entry !== undefined);
  const decoded = decodeEntry(read(encodeEntry({ ...entry, email: 0 })));
  assert.equal(decoded.email, place.lsn);
});

test('property: parts, chunks and closing records come back as they were written', () => {
  const chunk: fc.Arbitrary<ChunkPlace> = record({
    lsn: whole.map((n) => brandNumber<Lsn>(n)),
    bytes: whole,
    contentBytes: whole,
    storedBytes: whole,
  });
  fc.assert(
    fc.property(sha, whole, octets, fc.array(chunk, { maxLength: 20 }), (hash, size, content, chunks) => {
      const part = read(encodePart(hash, size, plain(content)));
      assert.deepEqual(decodeRecord(part), { type: 'part', sha: hash, size, storedBytes: content.length });
      assert.deepEqual(decodeRecord(read(encodeChunk(size, plain(content)))), { type: 'chunk', offset: size });
      const closing = encodeClosing(hash, size, chunks);
      assert.deepEqual(decodeRecord(read(closing)), { type: 'closing', sha: hash, size, chunks });
      assert.equal(closing.payload.length, 0);
    }),
  );
});

test('the fields of a closing record with as many chunks as allowed fit a record', () => {
  const { partChunkBytes } = limits;
  const far = { lsn: brandNumber<Lsn>(Number.MAX_SAFE_INTEGER), bytes: 2 * partChunkBytes };
  const chunk = { ...far, contentBytes: partChunkBytes, storedBytes: 2 * partChunkBytes };
  const chunks = Array.from({ length: limits.partChunks }, () => chunk);
  assert.ok(encodeClosing(Buffer.alloc(32), 2 ** 40, chunks).fields.length <= 0xffff);
});

test('property: a message comes back as it was written', () => {
  const lengths = fc.array(fc.nat(50), { maxLength: 6 });
  const some = record({ id: whole, hash: sha, size: whole, headerBytes: u32, lengths });
  fc.assert(
    fc.property(some, ({ id, hash, size, headerBytes, lengths: pieces }) => {
      const literals = pieces.map((bytes, index) => Buffer.alloc(bytes, index + 1));
      const manifest: Manifest = pieces.map((bytes) => ({ kind: 'literal', bytes }));
      const payload = plain(messagePayload(manifest, literals));
      const message = brandNumber<MessageId>(id);
      const decoded = decodeMessage(read(encodeMessage(message, { sha: hash, size, headerBytes }, payload)));
      const { plainBytes, storedBytes, ...rest } = decoded;
      const expected = {
        type: 'message',
        id,
        sha: hash,
        size,
        headerBytes,
        manifest,
        literals: Buffer.concat(literals),
      };
      assert.deepEqual(rest, expected);
      assert.deepEqual([plainBytes, storedBytes], [payload.octets.length, payload.octets.length]);
    }),
  );
});

test('property: any octets are a record or a DecodeError', () => {
  const types = fc.constantFrom(recordType.part, recordType.message, recordType.entry, recordType.event);
  fc.assert(
    fc.property(types, octets, octets, (type, fields, payload) => {
      try {
        decodeRecord({ type, format: heapFormat, location: place, fields, payload, storedBytes: payload.length });
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test('octets behind an entry or an event and unknown events are damage', () => {
  const [entry] = fc.sample(entries, 1);
  assert.ok(entry !== undefined);
  const more = (written: NewRecord): HeapRecord =>
    read({ ...written, payload: Buffer.concat([written.payload, Buffer.of(0)]) });
  assert.throws(() => decodeRecord(more(encodeEntry(entry))), DecodeError);
  const event = encodeEvent(1, 0, { kind: 'accountDeleted', account: brandNumber<AccountId>(1) });
  assert.throws(() => decodeRecord(more(event)), DecodeError);
  const unknown = { ...event, payload: Buffer.from(event.payload) };
  unknown.payload[0] = 200;
  assert.throws(() => decodeRecord(read(unknown)), DecodeError);
});

test('what came with format 2 is damage in a segment of format 1', () => {
  const event = encodeEvent(1, 0, { kind: 'accountDeleted', account: brandNumber<AccountId>(1) });
  const later = { ...event, payload: Buffer.from(event.payload) };
  later.payload[0] = 18;
  for (const written of [later, { ...event, type: recordType.restate }]) {
    assert.throws(() => decodeRecord({ ...read(written), format: 1 }), /in a segment of format 1/);
  }
  assert.doesNotThrow(() => decodeRecord({ ...read(event), format: 1 }));
});

/** The octets of the hex dump in a section of docs/format/log.md. */
function example(heading: string): Buffer {
  const document = readFileSync(new URL('../../../../docs/format/log.md', import.meta.url), 'utf8');
  const section = document.slice(document.indexOf(`## ${heading}\n`));
  const dump = /```hex\n([\s\S]*?)```/.exec(section)?.[1] ?? '';
  return Buffer.from(dump.replace(/^[0-9a-f]{4}: | {2}.*$/gm, '').replace(/\s/g, ''), 'hex');
}

test("the document's ENTRY is what the code writes and reads", () => {
  const entry: EntryRecord = {
    type: 'entry',
    sequence: 1234,
    account: brandNumber<AccountId>(7),
    mailbox: brandNumber<MailboxId>(42),
    uid: brandNumber<Uid>(300),
    modSeq: brandNumber<ModSeq>(1234),
    internalDate: 1_700_000_000,
    saveDate: 1_700_000_060,
    flags: 5,
    keywords: ['$Forwarded', 'later'],
    uidl: '',
    thread: brandNumber<ThreadId>(9),
    email: brandNumber<EmailId>(place.lsn),
    size: 2048,
    message: brandNumber<MessageId>(11),
    trace: Buffer.from('Return-Path: <>\r\n'),
  };
  const documented = example('Example: an ENTRY');
  const written = encodeEntry({ ...entry, email: 0 });
  assert.equal(documented.toString('hex'), written.payload.toString('hex'), hexDump(written.payload));
  assert.deepEqual(decodeEntry(read({ ...written, payload: documented })), entry);
});

test("the document's MESSAGE payload is what the code writes and reads", () => {
  const content = Buffer.from('hello, world\n');
  const manifest: Manifest = [
    { kind: 'literal', bytes: 10 },
    {
      kind: 'part',
      sha: createHash('sha256').update(content).digest(),
      contentBytes: 13,
      bytes: 24,
      lines: 2,
      endsWithLineEnd: true,
      recipe: { lineBytes: 16, finalLineEnd: true },
    },
    { kind: 'literal', bytes: 7 },
  ];
  const literals = [Buffer.from('A: b\r\n\r\n\r\n'), Buffer.from('--end--')];
  const documented = example('Example: a manifest');
  const written = messagePayload(manifest, literals);
  assert.equal(documented.toString('hex'), written.toString('hex'), hexDump(written));
  const head = { sha: Buffer.alloc(32), size: 41, headerBytes: 8 };
  const decoded = decodeMessage(read(encodeMessage(brandNumber<MessageId>(1), head, plain(documented))));
  assert.deepEqual(decoded.manifest, manifest);
  assert.deepEqual(decoded.literals, Buffer.concat(literals));
});

function hexDump(written: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < written.length; at += 16) {
    const row = written.subarray(at, at + 16);
    const hex = [...row].map((octet) => octet.toString(16).padStart(2, '0')).join(' ');
    lines.push(`${at.toString(16).padStart(4, '0')}: ${hex}`);
  }
  return `written:\n${lines.join('\n')}`;
}
