/** What every implementation of the key-value port does (`catalog/kv.ts`). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type Kv, type KvChange, type KvRange, tableNames } from '@mstore/store/internal/catalog/kv';
import { lmdbKeyBytesMax } from '@mstore/store/internal/catalog/lmdb-kv';
import { seededRandom } from '../support/random.ts';

/** Runs `use` with an empty store. */
export type WithKv = (use: (kv: Kv) => Promise<void>) => Promise<void>;

const lowest = Buffer.alloc(0);
const highest = Buffer.alloc(40, 0xff);

export function keyValueContract(name: string, within: WithKv): void {
  const check = (sentence: string, use: (kv: Kv) => Promise<void>): void => {
    test(`${name}: ${sentence}`, () => within(use));
  };

  check('a value is seen once its write has resolved, in its own table only', async (kv) => {
    assert.equal(kv.get('meta', key('a')), undefined);
    await kv.write([put('a', 'one')]);
    assert.equal(text(kv.get('meta', key('a'))), 'one');
    assert.equal(kv.get('parts', key('a')), undefined);
    await kv.write([put('a', 'two')]);
    assert.equal(text(kv.get('meta', key('a'))), 'two');
  });

  check('a look at a value, short or long, shows what was written last', async (kv) => {
    const long = Buffer.alloc(300_000, 'long');
    await kv.write([put('a', 'one'), { table: 'meta', key: key('b'), value: long }, put('c', '')]);
    assert.equal(text(kv.peek('meta', key('a'))), 'one');
    assert.deepEqual(kv.peek('meta', key('b')), long);
    assert.equal(text(kv.peek('meta', key('a'))), 'one');
    assert.equal(text(kv.peek('meta', key('c'))), '');
    assert.equal(kv.peek('meta', key('d')), undefined);
    assert.equal(kv.peek('parts', key('a')), undefined);
    await kv.write([put('a', 'two')]);
    assert.equal(text(kv.peek('meta', key('a'))), 'two');
  });

  check('every table can be written in one transaction', async (kv) => {
    await kv.write(tableNames.map((table) => ({ table, key: key('k'), value: Buffer.from(table) })));
    for (const table of tableNames) assert.equal(text(kv.get(table, key('k'))), table);
  });

  check('changes of one write are made in order', async (kv) => {
    await kv.write([put('a', '1'), remove('a'), put('a', '2'), put('b', '1'), put('b', '2'), remove('b')]);
    assert.deepEqual(list(kv, {}), ['a=2']);
  });

  check('removing what is absent, and writing nothing, is no error', async (kv) => {
    await kv.write([]);
    await kv.write([remove('absent'), put('a', '1'), remove('absent')]);
    assert.deepEqual(list(kv, {}), ['a=1']);
  });

  check('keys sort by octets, prefixes first', async (kv) => {
    const keys = ['00', '0000', '00ff', '01', '61', '6100', '6161', '61ff', '62', 'fe', 'ff', 'ff00', 'ffff'].map(
      (hex) => Buffer.from(hex, 'hex'),
    );
    const shuffled = [...keys].sort((a, b) => (a.readUInt8(0) ^ 0x55) - (b.readUInt8(0) ^ 0x55) || b.length - a.length);
    await kv.write(shuffled.map((each) => ({ table: 'meta', key: each, value: each })));
    const found = [...kv.range('meta', { from: lowest, to: highest })].map(([each]) => each.toString('hex'));
    assert.deepEqual(
      found,
      keys.map((each) => each.toString('hex')),
    );
    assert.deepEqual(
      [...kv.range('meta', { from: lowest, to: highest, reverse: true })].map(([each]) => each.toString('hex')),
      found.toReversed(),
    );
  });

  check('a range begins at `from` and ends before `to`, both ways', async (kv) => {
    await kv.write(['a', 'b', 'c', 'cc', 'd'].map((each) => put(each, each)));
    const cases: [string, string, string[]][] = [
      ['a', 'c', ['a=a', 'b=b']],
      ['aa', 'cc', ['b=b', 'c=c']],
      ['c', 'ccc', ['c=c', 'cc=cc']],
      ['', 'b', ['a=a']],
      ['d', 'z', ['d=d']],
      ['da', 'z', []],
      ['', 'a', []],
      ['b', 'b', []],
      ['c', 'a', []],
      ['', '', []],
    ];
    for (const [from, to, expected] of cases) {
      const bounds = { from: Buffer.from(from), to: Buffer.from(to) };
      assert.deepEqual(list(kv, bounds), expected, `${from}..${to}`);
      assert.deepEqual(list(kv, { ...bounds, reverse: true }), expected.toReversed(), `${to}..${from}`);
    }
  });

  check('a range of an empty table is empty', async (kv) => {
    assert.deepEqual(list(kv, {}), []);
    assert.deepEqual(list(kv, { reverse: true }), []);
  });

  check('a limit counts from the side where iteration begins', async (kv) => {
    await kv.write(['a', 'b', 'c', 'd'].map((each) => put(each, each)));
    assert.deepEqual(list(kv, { limit: 2 }), ['a=a', 'b=b']);
    assert.deepEqual(list(kv, { limit: 2, reverse: true }), ['d=d', 'c=c']);
    assert.deepEqual(list(kv, { limit: 0 }), []);
    assert.deepEqual(list(kv, { limit: 9 }), ['a=a', 'b=b', 'c=c', 'd=d']);
  });

  check('iterations can be abandoned and nested', async (kv) => {
    await kv.write(Array.from({ length: 1000 }, (_, n) => put(String(n).padStart(4, '0'), String(n))));
    for (let round = 0; round < 300; round++) {
      for (const [outer] of kv.range('meta', { from: lowest, to: highest })) {
        for (const [inner] of kv.range('meta', { from: outer, to: highest })) {
          assert.deepEqual(inner, outer);
          break;
        }
        if (outer.toString() === '0003') break;
      }
      assert.throws(() => {
        for (const _ of kv.range('meta', { from: lowest, to: highest })) throw new Error('enough');
      }, /enough/);
    }
    await kv.write([put('0000', 'changed')]);
    assert.deepEqual(list(kv, { limit: 1 }), ['0000=changed']);
  });

  check('a buffer that was returned or written is the caller’s to change', async (kv) => {
    const change = put('a', 'value');
    await kv.write([change, put('b', 'other')]);
    change.value.fill(0);
    change.key.fill(0);
    const got = kv.get('meta', key('a'));
    const again = kv.get('meta', key('b'));
    assert.equal(text(got), 'value');
    assert.equal(text(again), 'other');
    got?.fill(0x7a);
    const pairs = [...kv.range('meta', { from: lowest, to: highest })];
    assert.deepEqual(pairs.map(pairText), ['a=value', 'b=other']);
    for (const [each, value] of pairs) {
      each.fill(0);
      value.fill(0);
    }
    assert.deepEqual(list(kv, {}), ['a=value', 'b=other']);
  });

  check('values from empty to large come back whole, by get and by range', async (kv) => {
    const random = seededRandom(7);
    const sizes = [0, 1, 100, 2000, 4095, 4096, 65_537, 300_000, 700_000];
    const values = sizes.map((size) => random.bytes(size));
    await kv.write(values.map((value, n) => ({ table: 'messages', key: Buffer.of(n), value })));
    for (const [n, value] of values.entries()) {
      const found = kv.get('messages', Buffer.of(n));
      assert.equal(found?.length, value.length);
      assert.ok(found?.equals(value), `get of ${value.length}`);
    }
    const found = [...kv.range('messages', { from: lowest, to: highest })];
    assert.equal(found.length, values.length);
    for (const [n, [, value]] of found.entries()) {
      assert.ok(Buffer.isBuffer(value));
      assert.ok(value.equals(values[n] ?? lowest), `range over ${value.length}`);
    }
  });

  check('keys of up to the longest length are told apart', async (kv) => {
    const long = (length: number, last: number) => Buffer.concat([Buffer.alloc(length - 1, 0x61), Buffer.of(last)]);
    const keys = [long(1_050, 1), long(1_050, 2), long(lmdbKeyBytesMax, 1), long(lmdbKeyBytesMax, 2)];
    await kv.write(keys.map((each, n) => ({ table: 'mailboxes', key: each, value: Buffer.of(n) })));
    for (const [n, each] of keys.entries()) assert.deepEqual(kv.get('mailboxes', each), Buffer.of(n));
    const to = long(lmdbKeyBytesMax, 2);
    assert.equal([...kv.range('mailboxes', { from: keys[0] ?? lowest, to, reverse: true })].length, 3);
  });

  check('a write with a key that no store takes changes nothing', async (kv) => {
    await assert.rejects(kv.write([put('a', '1'), { ...put('b', '2'), key: Buffer.alloc(lmdbKeyBytesMax + 1, 1) }]));
    await assert.rejects(kv.write([put('a', '1'), { ...put('b', '2'), key: lowest }]));
    assert.deepEqual(list(kv, {}), []);
    await kv.write([put('c', '3')]);
    assert.deepEqual(list(kv, {}), ['c=3']);
  });

  check('ten thousand changes are one write', async (kv) => {
    const changes: KvChange[] = [];
    for (let n = 0; n < 10_000; n++) changes.push(put(`k${(n * 7919) % 10_000}`, `v${n}`));
    await kv.write(changes);
    assert.equal(list(kv, {}).length, 10_000);
    await kv.write(changes.map(({ table, key: each }) => ({ table, key: each, value: undefined })));
    assert.deepEqual(list(kv, {}), []);
  });

  check('a long history of writes leaves what a Map would hold', async (kv) => {
    const random = seededRandom(11);
    const model = new Map<string, string>();
    for (let round = 0; round < 60; round++) {
      const changes: KvChange[] = [];
      for (let n = random.int(120); n > 0; n--) {
        const name = random.bytes(1 + random.int(3)).toString('hex');
        const value = random.chance(0.3) ? undefined : random.bytes(random.int(300)).toString('hex');
        if (value === undefined) model.delete(name);
        else model.set(name, value);
        changes.push({
          table: 'index',
          key: Buffer.from(name, 'hex'),
          value: value === undefined ? undefined : Buffer.from(value, 'hex'),
        });
      }
      await kv.write(changes);
      const found = [...kv.range('index', { from: lowest, to: highest })].map(
        ([each, value]) => [each.toString('hex'), value.toString('hex')] as const,
      );
      assert.deepEqual(
        found,
        [...model].sort(([a], [b]) => (a < b ? -1 : 1)),
      );
    }
  });

  check(
    'a snapshot keeps showing its state over turns of the event loop, whatever is written meanwhile',
    async (kv) => {
      await kv.write([put('a', '1'), put('b', '1')]);
      const snapshot = kv.snapshot();
      const all = { from: lowest, to: highest };
      for (let round = 2; round < 6; round++) {
        await kv.write([put('a', String(round)), remove('b'), put(`c${round}`, 'x'.repeat(50_000))]);
        // The turn in which the binding moves on to a newer state.
        await setTimeout(0);
        kv.refresh();
        assert.deepEqual([...snapshot.range('meta', all)].map(pairText), ['a=1', 'b=1']);
        assert.deepEqual([...snapshot.range('meta', { ...all, from: key('a\0'), limit: 1 })].map(pairText), ['b=1']);
        assert.equal(text(snapshot.get('meta', key('b'))), '1');
        assert.equal(snapshot.get('meta', key('c2')), undefined);
        assert.equal(text(kv.get('meta', key('a'))), String(round));
      }
      const second = kv.snapshot();
      snapshot.release();
      snapshot.release();
      await kv.write([remove('a')]);
      assert.equal(text(second.get('meta', key('a'))), '5');
      second.release();
      assert.equal(kv.get('meta', key('a')), undefined);
    },
  );

  check('a closed store refuses', async (kv) => {
    await kv.close();
    assert.throws(() => kv.get('meta', key('a')), { code: 'closed' });
    assert.throws(() => kv.range('meta', { from: lowest, to: highest })[Symbol.iterator]().next(), { code: 'closed' });
    await assert.rejects(kv.write([put('a', '1')]), { code: 'closed' });
    await kv.close();
  });
}

function key(name: string): Buffer {
  return Buffer.from(name);
}

function put(name: string, value: string): KvChange & { readonly value: Buffer } {
  return { table: 'meta', key: key(name), value: Buffer.from(value) };
}

function remove(name: string): KvChange {
  return { table: 'meta', key: key(name), value: undefined };
}

function text(value: Buffer | undefined): string | undefined {
  return value?.toString();
}

function pairText([name, value]: readonly [Buffer, Buffer]): string {
  return `${name.toString()}=${value.toString()}`;
}

function list(kv: Kv, range: Partial<KvRange>): string[] {
  return [...kv.range('meta', { from: lowest, to: highest, ...range })].map(pairText);
}
