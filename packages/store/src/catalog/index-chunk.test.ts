import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../codec/bytes.ts';
import { brandNumber, type EmailId, type Lsn, type MessageId, type ModSeq, type ThreadId, type Uid } from '../types.ts';
import { chunkSlots, type Entry, encodeSingle, IndexChunk } from './index-chunk.ts';

const chunkNumber = 5;
const first = chunkNumber * chunkSlots;

const whole = fc.oneof(fc.nat(300), fc.nat(70_000), fc.maxSafeNat());
const seconds = fc.oneof(fc.integer({ min: 1_600_000_000, max: 1_700_000_000 }), fc.integer());
const keywords = fc
  .uniqueArray(fc.nat(255), { maxLength: 6 })
  .map((numbers): readonly number[] => numbers.sort((a, b) => a - b));

const entry: fc.Arbitrary<Entry> = fc.record(
  {
    uid: fc.nat(chunkSlots - 1).map((slot) => brandNumber<Uid>(first + slot)),
    lsn: whole.map((n) => brandNumber<Lsn>(n)),
    bytes: whole,
    flags: fc.nat(31),
    keywords,
    modSeq: whole.map((n) => brandNumber<ModSeq>(n)),
    internalDate: seconds,
    saveDate: seconds,
    size: whole,
    message: whole.map((n) => brandNumber<MessageId>(n)),
    thread: whole.map((n) => brandNumber<ThreadId>(n)),
    email: whole.map((n) => brandNumber<EmailId>(n)),
    uidl: fc.oneof(fc.constant(''), fc.string({ maxLength: 70 })),
  },
  { noNullPrototype: true },
);

type Step =
  | { readonly do: 'set'; readonly entry: Entry }
  | { readonly do: 'flags'; readonly entry: Entry }
  | { readonly do: 'remove'; readonly uid: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: entry.map((given): Step => ({ do: 'set', entry: given })) },
    { weight: 1, arbitrary: entry.map((given): Step => ({ do: 'flags', entry: given })) },
    { weight: 1, arbitrary: fc.nat(chunkSlots - 1).map((slot): Step => ({ do: 'remove', uid: first + slot })) },
  ),
  { maxLength: 120 },
);

/** Makes the steps on a chunk and on a Map. */
function make(given: readonly Step[]): { chunk: IndexChunk; model: Entry[] } {
  const chunk = new IndexChunk();
  const model = new Map<number, Entry>();
  for (const step of given) {
    if (step.do === 'set') {
      chunk.set(step.entry);
      model.set(step.entry.uid, step.entry);
    } else if (step.do === 'remove') {
      chunk.remove(step.uid);
      model.delete(step.uid);
    } else {
      const { uid, flags, keywords: numbers, modSeq } = step.entry;
      const known = model.get(uid);
      if (known === undefined) continue;
      chunk.setFlags(uid, flags, numbers, modSeq);
      model.set(uid, { ...known, flags, keywords: numbers, modSeq });
    }
  }
  return { chunk, model: [...model.values()].sort((a, b) => a.uid - b.uid) };
}

test('property: a chunk holds what a Map holds, before and after its octets', () => {
  fc.assert(
    fc.property(steps, (given) => {
      const { chunk, model } = make(given);
      assert.deepEqual([...chunk.entries(chunkNumber)], model);
      assert.equal(chunk.isEmpty, model.length === 0);
      const octets = chunk.encode();
      const decoded = IndexChunk.decode(octets);
      assert.deepEqual([...decoded.entries(chunkNumber)], model);
      assert.deepEqual(decoded.encode(), octets);
      for (let uid = first; uid < first + chunkSlots; uid++) {
        assert.equal(
          decoded.has(uid),
          model.some((one) => one.uid === uid),
        );
      }
    }),
  );
});

test('property: the highest MODSEQ can be read without the rest', () => {
  fc.assert(
    fc.property(steps, (given) => {
      const { chunk, model } = make(given);
      assert.equal(IndexChunk.highestModSeq(chunk.encode()), Math.max(0, ...model.map((one) => one.modSeq)));
    }),
  );
});

test('property: a chunk is passed over undecoded only where no entry has the flag', () => {
  const deleted = 8;
  fc.assert(
    fc.property(steps, fc.boolean(), (given, areAlike) => {
      const { chunk, model } = make(given);
      if (areAlike) for (const { uid, modSeq } of model) chunk.setFlags(uid, 1, [], modSeq);
      const found = IndexChunk.decodeFlagsWith(chunk.encode(), deleted);
      if (areAlike) assert.equal(found, undefined);
      else {
        const uidsIn = (entries: readonly Pick<Entry, 'uid' | 'flags'>[]): number[] =>
          entries.filter(({ flags }) => (flags & deleted) !== 0).map(({ uid }) => uid);
        assert.deepEqual(uidsIn(found?.flags(chunkNumber) ?? []), uidsIn(model));
      }
    }),
  );
});

test('property: a copy and its original do not change one another', () => {
  fc.assert(
    fc.property(steps, entry, (given, more) => {
      const { chunk, model } = make(given);
      const copy = chunk.copy();
      copy.set(more);
      copy.setFlags(more.uid, 0, [], more.modSeq);
      assert.deepEqual([...chunk.entries(chunkNumber)], model);
      chunk.remove(more.uid);
      assert.equal(copy.has(more.uid), true);
    }),
  );
});

test('property: a chunk cut anywhere, or with an octet more, is not a chunk', () => {
  fc.assert(
    fc.property(steps, fc.nat(), (given, at) => {
      const octets = make(given).chunk.encode();
      assert.throws(() => IndexChunk.decode(octets.subarray(0, at % octets.length)), DecodeError);
      assert.throws(() => IndexChunk.decode(Buffer.concat([octets, Buffer.of(0)])), DecodeError);
    }),
  );
});

test('a chunk of like entries costs a few octets an entry', () => {
  const chunk = new IndexChunk();
  for (let slot = 0; slot < chunkSlots; slot++) {
    chunk.set({
      uid: brandNumber<Uid>(first + slot),
      lsn: brandNumber<Lsn>(9_000_000_000 + slot * 800),
      bytes: 96,
      flags: 1,
      keywords: [],
      modSeq: brandNumber<ModSeq>(70_000 + slot),
      internalDate: 1_700_000_000 + slot * 10,
      saveDate: 1_700_000_000 + slot * 10,
      size: 4_000 + slot * 100,
      message: brandNumber<MessageId>(60_000 + slot),
      thread: brandNumber<ThreadId>(60_000 + slot),
      email: brandNumber<EmailId>(9_000_000_000 + slot * 800),
      uidl: '',
    });
  }
  const { length } = chunk.encode();
  assert.ok(length <= chunkSlots * 16, `${length} octets`);
});

test('property: a single entry is encoded as a chunk that holds it alone', () => {
  fc.assert(
    fc.property(entry, (given) => {
      const chunk = new IndexChunk();
      chunk.set(given);
      assert.deepEqual(encodeSingle(given), chunk.encode());
    }),
  );
});
