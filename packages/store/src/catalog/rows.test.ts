import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError, Reader } from '../codec/bytes.ts';
import { UidSet } from '../codec/uid-set.ts';
import {
  type AccountId,
  brandNumber,
  type EmailId,
  type Lsn,
  type MailboxRole,
  type MessageId,
  type ModSeq,
  type ThreadId,
  type Uid,
  type UidValidity,
} from '../types.ts';
import {
  accountNameText,
  expungedText,
  keyOctets,
  kind,
  ownedNameText,
  prefixEnd,
  u32PairText,
  u64Text,
  uidlText,
} from './keys.ts';
import { messageCodec } from './message-row.ts';
import {
  accountCodec,
  expungedCodec,
  isUnreferenced,
  mailboxCodec,
  numberCodec,
  octetsCodec,
  partCodec,
  type RowCodec,
  retainedCodec,
  roles,
  segmentCodec,
  stateCodec,
  threadCodec,
  wordsCodec,
} from './row-codecs.ts';
import {
  type AccountRow,
  emptyTotals,
  type MailboxRow,
  type MessageRow,
  type PartRow,
  type RetainedRow,
  type SegmentRow,
  type StateRow,
  type ThreadRow,
  type Totals,
  totalsKeys,
} from './rows.ts';

/** Ordinary objects, as decoders make them. */
function record<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

const whole = fc.oneof(fc.nat(300), fc.maxSafeNat());
const seconds = fc.oneof(fc.constant(0), fc.integer());
const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const octets = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const sha = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
const lsn = whole.map((n) => brandNumber<Lsn>(n));
const place = record<MessageRow['record']>({ lsn, bytes: whole });
const u32 = fc.integer({ min: 1, max: 0xffff_ffff });

const totals = fc.array(whole, { minLength: totalsKeys.length, maxLength: totalsKeys.length }).map((values): Totals => {
  const sums = emptyTotals();
  for (const [index, key] of totalsKeys.entries()) sums[key] = values[index] ?? 0;
  return sums;
});

const state = record<StateRow>({
  format: whole,
  storeId: sha,
  epoch: whole,
  appliedLsn: lsn,
  batch: whole,
  sequence: whole,
  account: whole,
  mailbox: whole,
  message: whole,
  thread: whole,
  uidValidity: whole,
  totals,
});

const account = record<AccountRow>({
  name: text,
  deleted: fc.boolean(),
  createdAt: seconds,
  deletedAt: seconds,
  quotaBytes: whole,
  quotaMessages: whole,
  messages: whole,
  bytes: whole,
  retainedMessages: whole,
  retainedBytes: whole,
  mailboxes: whole,
  record: place,
  memoryLsn: whole,
});

const mailbox = record<MailboxRow>({
  account: u32.map((n) => brandNumber<AccountId>(n)),
  name: text,
  deleted: fc.boolean(),
  uidValidity: u32.map((n) => brandNumber<UidValidity>(n)),
  uidNext: u32,
  highestModSeq: whole.map((n) => brandNumber<ModSeq>(n)),
  expungeFloor: whole,
  modSeqFloor: whole,
  createdAt: seconds,
  deletedAt: seconds,
  role: fc.constantFrom<MailboxRole>(...roles),
  messages: whole,
  unseen: whole,
  flaggedDeleted: whole,
  bytes: whole,
  retainedMessages: whole,
  retainedBytes: whole,
  record: place,
});

const retained = record<RetainedRow>({
  entry: record<RetainedRow['entry']>({
    uid: u32.map((n) => brandNumber<Uid>(n)),
    lsn,
    bytes: whole,
    flags: fc.nat(31),
    keywords: fc.uniqueArray(fc.nat(255), { maxLength: 4 }).map((some) => some.sort((a, b) => a - b)),
    modSeq: whole.map((n) => brandNumber<ModSeq>(n)),
    internalDate: seconds,
    saveDate: seconds,
    size: whole,
    message: whole.map((n) => brandNumber<MessageId>(n)),
    thread: whole.map((n) => brandNumber<ThreadId>(n)),
    email: whole.map((n) => brandNumber<EmailId>(n)),
    uidl: text,
  }),
  expungedAt: seconds,
});

const message = record<MessageRow>({
  refs: whole,
  record: place,
  sha,
  size: whole,
  headerBytes: whole,
  plainBytes: whole,
  storedBytes: whole,
  namedBytes: whole,
  parts: octets,
  threadKeys: octets,
  derived: fc.boolean(),
  envelope: octets,
  bodyStructure: octets,
  listedFields: octets,
});

const part = record<PartRow>({
  refs: whole,
  size: whole,
  pieces: fc.array(
    record<PartRow['pieces'][number]>({
      // Their differences are kept, and doubled for the sign.
      lsn: fc.nat(2 ** 51).map((n) => brandNumber<Lsn>(n)),
      bytes: whole,
      contentBytes: whole,
      storedBytes: whole,
    }),
    { maxLength: 8 },
  ),
});

const thread = record<ThreadRow>({ thread: whole.map((n) => brandNumber<ThreadId>(n)), refs: whole });
const segment = record<SegmentRow>({
  live: whole,
  dead: whole,
  other: whole,
  restated: whole,
  idle: whole,
  firstSequence: whole,
  lastSequence: whole,
  retiredAt: seconds,
});

function comesBack<Row>(name: string, codec: RowCodec<Row>, rows: fc.Arbitrary<Row>): void {
  test(`property: a row of ${name} comes back, and so does its copy`, () => {
    fc.assert(
      fc.property(rows, (row) => {
        const written = codec.encode(row);
        assert.deepEqual(codec.decode(written), row);
        assert.deepEqual(codec.encode(codec.copy(row)), written);
      }),
    );
  });
}

comesBack('meta', stateCodec, state);
comesBack('accounts', accountCodec, account);
comesBack('mailboxes', mailboxCodec, mailbox);
comesBack('retained', retainedCodec, retained);
comesBack('parts', partCodec, part);
comesBack('threads', threadCodec, thread);
comesBack('segments', segmentCodec, segment);
comesBack('names and hashes', numberCodec, whole);
comesBack('keywords', wordsCodec, fc.array(text, { maxLength: 20 }));
comesBack(
  'expunged',
  expungedCodec,
  record({ expungedAt: seconds, uids: fc.array(u32, { maxLength: 20 }).map((uids) => UidSet.of(uids)) }),
);
comesBack('metadata', octetsCodec, octets);

/** What the format says stands in the octets, read field by field. */
function fieldsOf(row: Buffer): MessageRow {
  const r = new Reader(row);
  const fields = {
    refs: r.varint(),
    record: { lsn: brandNumber<Lsn>(r.varint()), bytes: r.varint() },
    sha: r.bytes(32),
    size: r.varint(),
    headerBytes: r.varint(),
    plainBytes: r.varint(),
    storedBytes: r.varint(),
    namedBytes: r.varint(),
    parts: r.block(),
    threadKeys: r.block(),
    derived: r.u8() === 1,
    envelope: r.block(),
    bodyStructure: r.block(),
    listedFields: r.block(),
  };
  r.end();
  return fields;
}

/** All fields of a row, whichever way it keeps them. */
function shown(row: MessageRow): MessageRow {
  const { refs, record, sha, size, headerBytes, plainBytes, storedBytes, namedBytes, parts, threadKeys } = row;
  const { derived, envelope, bodyStructure, listedFields } = row;
  const numbers = { refs, record, size, headerBytes, plainBytes, storedBytes, namedBytes, derived };
  return { ...numbers, sha, parts, threadKeys, envelope, bodyStructure, listedFields };
}

test('property: a row of messages comes back, and so does its copy', () => {
  fc.assert(
    fc.property(message, (row) => {
      const written = messageCodec.encode(row);
      assert.deepEqual(fieldsOf(written), row);
      const read = messageCodec.decode(written);
      assert.deepEqual(shown(read), row);
      assert.deepEqual(messageCodec.encode(read), written);
      assert.deepEqual(messageCodec.encode(messageCodec.copy(read)), written);
      assert.deepEqual(messageCodec.encode(messageCodec.copy(row)), written);
    }),
  );
});

test('property: what is changed in a row that was read is written as if it had been made so; the original stays', () => {
  fc.assert(
    fc.property(message, whole, place, (row, refs, record) => {
      const written = messageCodec.encode(row);
      const read = messageCodec.decode(Buffer.from(written));
      const copy = messageCodec.copy(read);
      copy.refs = refs;
      copy.record = record;
      const changed = messageCodec.encode(copy);
      assert.deepEqual(changed, messageCodec.encode({ ...row, refs, record }));
      assert.deepEqual(shown(messageCodec.copy(copy)), { ...row, refs, record });
      assert.deepEqual(messageCodec.encode(read), written);
      assert.equal(isUnreferenced(changed), refs === 0);
    }),
  );
});

test('a row that is too short or too long is damage, and told at once', () => {
  const row: MessageRow = {
    refs: 1,
    record: { lsn: brandNumber<Lsn>(4096), bytes: 300 },
    sha: Buffer.alloc(32, 7),
    size: 1000,
    headerBytes: 200,
    plainBytes: 900,
    storedBytes: 280,
    namedBytes: 0,
    parts: Buffer.alloc(0),
    threadKeys: Buffer.alloc(8, 1),
    derived: true,
    envelope: Buffer.from('(NIL)'),
    bodyStructure: Buffer.from('("TEXT")'),
    listedFields: Buffer.from('Subject: one\r\n'),
  };
  const written = messageCodec.encode(row);
  for (let bytes = 0; bytes < written.length; bytes++) {
    assert.throws(() => messageCodec.decode(written.subarray(0, bytes)), DecodeError, `${bytes} octets`);
  }
  assert.throws(() => messageCodec.decode(Buffer.concat([written, Buffer.of(0)])), DecodeError);
});

test('property: a row cut anywhere, or with an octet more, is refused', () => {
  fc.assert(
    fc.property(mailbox, part, fc.nat(), (first, second, at) => {
      for (const [codec, written] of [
        [mailboxCodec, mailboxCodec.encode(first)] as const,
        [partCodec, partCodec.encode(second)] as const,
      ]) {
        assert.throws(() => codec.decode(written.subarray(0, at % written.length)), DecodeError);
        assert.throws(() => codec.decode(Buffer.concat([written, Buffer.of(0)])), DecodeError);
      }
    }),
  );
});

test('a copy of the state may be changed without harm', () => {
  const row = fc.sample(state, 1)[0];
  assert.ok(row !== undefined);
  const { entries } = row.totals;
  stateCodec.copy(row).totals.entries = entries + 1;
  assert.equal(row.totals.entries, entries);
});

test('property: keys sort as the numbers in them', () => {
  const pair = fc.tuple(u32, u32);
  fc.assert(
    fc.property(pair, pair, whole, whole, (a, b, x, y) => {
      const order = Math.sign(a[0] - b[0] || a[1] - b[1]);
      assert.equal(Math.sign(keyOctets(u32PairText(...a)).compare(keyOctets(u32PairText(...b)))), order);
      assert.equal(Math.sign(keyOctets(u64Text(x)).compare(keyOctets(u64Text(y)))), Math.sign(x - y));
    }),
  );
});

test('property: a prefix ends behind all keys that begin with it, and before all others', () => {
  const prefix = fc.uint8Array({ minLength: 1, maxLength: 4 }).filter((some) => some.some((octet) => octet !== 0xff));
  fc.assert(
    fc.property(prefix, fc.uint8Array({ maxLength: 4 }), (some, rest) => {
      const start = Buffer.from(some);
      const end = prefixEnd(start);
      const inside = (key: Buffer): boolean => key.compare(start) >= 0 && key.compare(end) < 0;
      assert.ok(inside(Buffer.concat([start, rest])));
      const other = Buffer.from(rest);
      assert.equal(inside(other), other.subarray(0, start.length).equals(start));
    }),
  );
  assert.throws(() => prefixEnd(Buffer.of(0xff, 0xff)));
});

test('names of accounts and UIDLs are found in any letter case, names of mailboxes only in their own', () => {
  const id = brandNumber<AccountId>(7);
  assert.deepEqual(accountNameText('Ann@Example.org'), accountNameText('ann@example.ORG'));
  assert.deepEqual(uidlText(brandNumber(1), 'AbC'), uidlText(brandNumber(1), 'aBc'));
  assert.notDeepEqual(ownedNameText(kind.name, id, 'Work'), ownedNameText(kind.name, id, 'work'));
  assert.equal(
    keyOctets(expungedText(brandNumber(1), brandNumber<ModSeq>(2 ** 40))).toString('hex'),
    '000000010000010000000000',
  );
});

/** What clients list of a row; undefined where its octets are refused. */
function listedOf(read: () => Pick<MessageRow, 'derived' | 'envelope' | 'bodyStructure' | 'listedFields'>): unknown {
  try {
    const { derived, envelope, bodyStructure, listedFields } = read();
    return { derived, envelope, bodyStructure, listedFields };
  } catch (error) {
    assert.ok(error instanceof DecodeError);
    return undefined;
  }
}

test('what stands in the octets of a message’s row, whatever they are, is shown or refused as the format says', () => {
  fc.assert(
    fc.property(
      message,
      fc.nat(),
      fc.nat(255),
      fc.constantFrom('as it is', 'changed', 'cut', 'longer'),
      (row, at, octet, how) => {
        const whole = Buffer.from(messageCodec.encode(row));
        if (how === 'changed') whole[at % whole.length] = octet;
        const stored = how === 'cut' ? whole.subarray(0, at % whole.length) : whole;
        const octets = how === 'longer' ? Buffer.concat([stored, Buffer.of(octet)]) : stored;
        assert.deepEqual(
          listedOf(() => messageCodec.decode(octets)),
          listedOf(() => fieldsOf(octets)),
        );
      },
    ),
    { numRuns: 2_000 },
  );
});
