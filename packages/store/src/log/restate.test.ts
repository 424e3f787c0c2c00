import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../codec/bytes.ts';
import { UidSet } from '../codec/uid-set.ts';
import { heapFormat } from '../heap/format.ts';
import {
  type AccountId,
  brandNumber,
  type EmailId,
  type Lsn,
  type MailboxId,
  type MailboxRole,
  type MessageId,
  type ModSeq,
  type ThreadId,
  type Uid,
  type UidValidity,
} from '../types.ts';
import { decodeRecord, encodeRestate } from './records.ts';
import type { RestateBody, RestateKind } from './restate.ts';

function record<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

const whole = fc.maxSafeNat();
const seconds = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const words = fc.array(text, { maxLength: 5 });
const octets = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));
const u32 = fc.integer({ min: 1, max: 0xffff_ffff });
const account = u32.map((n) => brandNumber<AccountId>(n));
const mailbox = u32.map((n) => brandNumber<MailboxId>(n));
const modSeq = whole.map((n) => brandNumber<ModSeq>(n));
const goneAt = whole.map((n) => brandNumber<Lsn>(n));
const uids = fc.array(fc.oneof(u32, fc.integer({ min: 1, max: 40 })), { maxLength: 30 }).map((some) => UidSet.of(some));
const groups = fc.array(record({ flags: fc.nat(31), keywords: words, uids }), { maxLength: 5 });
const role = fc.constantFrom<MailboxRole>('', 'drafts', 'sent', 'junk', 'trash', 'archive', 'flagged', 'all');

const bodies: { readonly [Kind in RestateKind]: fc.Arbitrary<RestateBody> } = {
  entry: record({
    kind: fc.constant('entry'),
    account,
    mailbox,
    uid: u32.map((n) => brandNumber<Uid>(n)),
    modSeq,
    internalDate: seconds,
    saveDate: seconds,
    flags: fc.nat(31),
    keywords: words,
    uidl: text,
    thread: whole.map((n) => brandNumber<ThreadId>(n)),
    email: whole.map((n) => brandNumber<EmailId>(n)),
    size: whole,
    message: whole.map((n) => brandNumber<MessageId>(n)),
    trace: octets,
    expungedAt: fc.option(seconds, { nil: undefined }),
  }),
  flags: record({ kind: fc.constant('flags'), mailbox, modSeq, groups }),
  retained: record({ kind: fc.constant('retained'), mailbox, expungedAt: seconds, uids }),
  vanished: record({ kind: fc.constant('vanished'), mailbox, modSeq, time: seconds, uids }),
  gone: record({ kind: fc.constant('gone'), mailbox, goneAt, uids }),
  mailbox: record({
    kind: fc.constant('mailbox'),
    mailbox,
    account,
    name: text,
    deleted: fc.boolean(),
    uidValidity: u32.map((n) => brandNumber<UidValidity>(n)),
    uidNext: whole,
    highestModSeq: modSeq,
    expungeFloor: whole,
    modSeqFloor: whole,
    createdAt: seconds,
    deletedAt: seconds,
    role,
    keywords: words,
  }),
  mailboxGone: record({ kind: fc.constant('mailboxGone'), mailbox, goneAt }),
  account: record({
    kind: fc.constant('account'),
    account,
    name: text,
    deleted: fc.boolean(),
    createdAt: seconds,
    deletedAt: seconds,
    quotaBytes: whole,
    quotaMessages: whole,
  }),
  details: record({
    kind: fc.constant('details'),
    account,
    mailbox: fc.oneof(mailbox, fc.constant<0>(0)),
    subscriptions: words,
    metadata: fc.array(record({ name: text, value: octets }), { maxLength: 4 }),
    memory: fc.array(record({ name: text, uidValidity: u32 }), { maxLength: 4 }),
  }),
  accountGone: record({ kind: fc.constant('accountGone'), account, goneAt }),
};

for (const [kind, body] of Object.entries(bodies)) {
  test(`property: a RESTATE of "${kind}" comes back as it was written, and is damage when it is cut`, () => {
    fc.assert(
      fc.property(body, (one) => {
        const { type, fields, payload } = encodeRestate(one);
        const location = { lsn: brandNumber<Lsn>(4248), bytes: 128 };
        const read = { type, format: heapFormat, location, fields, storedBytes: payload.length };
        assert.deepEqual(decodeRecord({ ...read, payload }), { type: 'restate', body: one });
        const cut = payload.subarray(0, payload.length - 1);
        assert.throws(() => decodeRecord({ ...read, payload: cut }), DecodeError);
      }),
    );
  });
}
