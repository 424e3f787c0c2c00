import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AccountId, brandNumber, type MailboxId } from '../types.ts';
import { kind, kindU32Key, prefixEnd, u32Key } from './keys.ts';
import type { Kv, KvChange, KvRange, KvSnapshot, TableName } from './kv.ts';
import { octetsCodec } from './row-codecs.ts';
import { keywordTable, messageHashTable, metadataTable, subscriptionTable } from './schema.ts';
import { View, WriteSet } from './write-set.ts';

/** A key-value store as plain as can be. */
class PlainKv implements Kv {
  readonly #rows = new Map<string, readonly [TableName, Buffer, Buffer]>();

  get(table: TableName, key: Buffer): Buffer | undefined {
    return this.#rows.get(`${table} ${key.toString('hex')}`)?.[2];
  }

  peek(table: TableName, key: Buffer): Buffer | undefined {
    return this.get(table, key);
  }

  range(table: TableName, range: KvRange): Iterable<readonly [Buffer, Buffer]> {
    const sign = range.reverse === true ? -1 : 1;
    return [...this.#rows.values()]
      .filter(([name, key]) => name === table && key.compare(range.from) >= 0 && key.compare(range.to) < 0)
      .sort((a, b) => sign * a[1].compare(b[1]))
      .slice(0, range.limit)
      .map(([, key, value]) => [key, value] as const);
  }

  write(changes: readonly KvChange[]): Promise<void> {
    for (const { table, key, value } of changes) {
      const name = `${table} ${key.toString('hex')}`;
      if (value === undefined) this.#rows.delete(name);
      else this.#rows.set(name, [table, key, Buffer.from(value)]);
    }
    return Promise.resolve();
  }

  refresh(): void {}

  snapshot(): KvSnapshot {
    throw new Error('nobody keeps a state of this store');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const keys = fc.integer({ min: 1, max: 12 });

type Step =
  | { readonly do: 'put'; readonly key: number; readonly word: string }
  | { readonly do: 'append'; readonly key: number; readonly word: string }
  | { readonly do: 'remove'; readonly key: number }
  | { readonly do: 'removeRange'; readonly from: number; readonly to: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant<'put'>('put'), key: keys, word: fc.string({ maxLength: 3 }) }),
  fc.record({ do: fc.constant<'append'>('append'), key: keys, word: fc.string({ maxLength: 3 }) }),
  fc.record({ do: fc.constant<'remove'>('remove'), key: keys }),
  fc.record({ do: fc.constant<'removeRange'>('removeRange'), from: keys, to: keys }),
);

/** What is in the store, then each layer's steps from the oldest to the top one. */
const histories = fc.array(fc.array(step, { maxLength: 12 }), { minLength: 1, maxLength: 5 });

const id = (key: number): MailboxId => brandNumber<MailboxId>(key);

function range(from: number, to: number, options: { reverse?: boolean; limit?: number } = {}): KvRange {
  return { from: u32Key(from), to: u32Key(to), ...options };
}

function take(view: View, model: Map<number, string[]>, one: Step): void {
  if (one.do === 'put') {
    view.put(keywordTable, [one.word], id(one.key));
    model.set(one.key, [one.word]);
  } else if (one.do === 'append') {
    view.edit(keywordTable, id(one.key))?.push(one.word);
    const known = model.get(one.key);
    if (known !== undefined) model.set(one.key, [...known, one.word]);
  } else if (one.do === 'remove') {
    view.remove(keywordTable, id(one.key));
    model.delete(one.key);
  } else if (one.do === 'removeRange') {
    view.removeRange('keywords', range(one.from, one.to), keywordTable.codec);
    for (const key of [...model.keys()]) if (key >= one.from && key < one.to) model.delete(key);
  }
}

interface World {
  readonly kv: PlainKv;
  readonly layers: WriteSet[];
  readonly view: View;
  readonly model: Map<number, string[]>;
}

/** The first list of steps goes to the store, each other one to a layer. */
async function build(history: readonly (readonly Step[])[]): Promise<World> {
  const kv = new PlainKv();
  const model = new Map<number, string[]>();
  const layers: WriteSet[] = [];
  let view = new View(kv);
  for (const [at, steps] of history.entries()) {
    const top = new WriteSet();
    view = new View(kv, [...layers], top);
    for (const one of steps) take(view, model, one);
    if (at === 0) await kv.write(WriteSet.encode([top]));
    else layers.push(top);
  }
  return { kv, layers, view: new View(kv, layers), model };
}

function sorted(model: ReadonlyMap<number, string[]>): [number, string[]][] {
  return [...model].sort((a, b) => a[0] - b[0]);
}

function listed(view: View, some: KvRange): [number, string[]][] {
  return [...view.range(keywordTable, some)].map(([key, row]) => [key.readUInt32BE(0), row]);
}

test('property: a view through any layers shows what a Map shows', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const { view, model } = await build(history);
      for (let key = 0; key < 14; key++) assert.deepEqual(view.read(keywordTable, id(key)), model.get(key));
      assert.deepEqual(listed(view, range(0, 20)), sorted(model));
      assert.deepEqual(
        view.keys('keywords', range(0, 20)).map((key) => key.readUInt32BE(0)),
        sorted(model).map(([key]) => key),
      );
    }),
  );
});

test('property: ranges of a view keep to bounds, direction and limit', async () => {
  await fc.assert(
    fc.asyncProperty(
      histories,
      keys,
      keys,
      fc.boolean(),
      fc.option(fc.nat(6), { nil: undefined }),
      async (history, from, to, reverse, limit) => {
        const { view, model } = await build(history);
        const inside = sorted(model).filter(([key]) => key >= from && key < to);
        const ordered = reverse ? inside.reverse() : inside;
        const options = limit === undefined ? { reverse } : { reverse, limit };
        assert.deepEqual(listed(view, range(from, to, options)), ordered.slice(0, limit));
      },
    ),
  );
});

test('property: layers written together, or one by one, leave what the view showed', async () => {
  await fc.assert(
    fc.asyncProperty(histories, fc.nat(4), async (history, cut) => {
      const { kv, layers, model } = await build(history);
      const at = Math.min(cut, layers.length);
      await kv.write(WriteSet.encode(layers.slice(0, at)));
      assert.deepEqual(listed(new View(kv, layers.slice(at)), range(0, 20)), sorted(model));
      const changes = WriteSet.encode(layers.slice(at));
      const names = changes.map(({ table, key }) => `${table} ${key.toString('hex')}`);
      assert.equal(new Set(names).size, names.length, 'a key is written once');
      await kv.write(changes);
      assert.deepEqual(listed(new View(kv), range(0, 20)), sorted(model));
    }),
  );
});

test('property: writing on top never changes a layer below', async () => {
  await fc.assert(
    fc.asyncProperty(histories, fc.array(step, { maxLength: 12 }), async (history, more) => {
      const { kv, layers, view, model } = await build(history);
      const before = sorted(model);
      const top = new View(kv, layers, new WriteSet());
      for (const one of more) take(top, model, one);
      assert.deepEqual(listed(view, range(0, 20)), before);
      assert.deepEqual(listed(top, range(0, 20)), sorted(model));
    }),
  );
});

test('a row that was edited is one row, however often', () => {
  const set = new WriteSet();
  const view = new View(new PlainKv(), [], set);
  assert.equal(set.isEmpty, true);
  const row = view.put(keywordTable, [], id(1));
  assert.equal(view.edit(keywordTable, id(1)), row);
  row.push('a');
  assert.deepEqual(view.read(keywordTable, id(1)), ['a']);
  assert.equal(set.size, 1);
});

test('a view without a write set refuses changes', () => {
  const view = new View(new PlainKv());
  assert.throws(() => view.put(keywordTable, [], id(1)), /for reading/);
  assert.throws(() => view.edit(keywordTable, id(1)), /for reading/);
});

test('one key is one kind of row', () => {
  const view = new View(new PlainKv(), [], new WriteSet());
  const key = Buffer.alloc(32);
  view.put(messageHashTable, 7, key);
  assert.throws(() => view.read({ ...messageHashTable, codec: octetsCodec }, key), /two kinds/);
});

test('rows removed as a range, whatever their kind, can be read and put again', async () => {
  const kv = new PlainKv();
  const account = brandNumber<AccountId>(3);
  const first = new WriteSet();
  const view = new View(kv, [], first);
  view.put(subscriptionTable, 1, account, 'Work');
  view.put(metadataTable, Buffer.from('note'), account, 0, '/comment');
  await kv.write(WriteSet.encode([first]));
  const set = new WriteSet();
  const later = new View(kv, [], set);
  const prefix = kindU32Key(kind.subscription, account);
  later.removeRange('accounts', { from: prefix, to: prefixEnd(prefix) }, octetsCodec);
  assert.equal(later.read(subscriptionTable, account, 'Work'), undefined);
  later.put(subscriptionTable, 1, account, 'Work');
  assert.equal(later.read(subscriptionTable, account, 'Work'), 1);
  await kv.write(WriteSet.encode([set]));
  assert.equal(new View(kv).read(subscriptionTable, account, 'Work'), 1);
});
