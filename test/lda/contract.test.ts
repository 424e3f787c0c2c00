/** The contract of mstore-lda, kept by both of its forms, with a daemon and without one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contractCases, message, messageBytesMax, stored } from './contract-cases.ts';
import { forms, LdaWorld, traceOf } from './world.ts';

const config = `[limits]\nmessageBytes = ${messageBytesMax}\n[login]\ndefaultDomain = "x.example"\n`;
const users = [
  ...contractCases.flatMap((one) => one.users ?? []).map((local) => ({ address: `${local}@x.example` })),
  { address: 'full@x.example', quotaBytes: 100 },
];
const aliases = { 'alias@x.example': ['aliased1@x.example', 'aliased2@x.example'] };

for (const { name, command } of forms) {
  for (const hasDaemon of [true, false]) {
    const where = `${name}, ${hasDaemon ? 'with a daemon' : 'alone'}`;

    test(`${where}: every case of the table`, async (t) => {
      await using world = await LdaWorld.make(command, users, config, aliases);
      if (hasDaemon) await world.startDaemon();
      for (const { name: what, args, input = message, code, says } of contractCases) {
        await t.test(what, async () => {
          const ran = await world.run(args, { input });
          assert.deepEqual({ ...ran, line: undefined }, { code, line: undefined }, ran.line);
          if (code === 0) assert.equal(ran.line, '');
          else assert.match(ran.line, /^mstore-lda: [^\n]+\n$/);
          if (says !== undefined) assert.match(ran.line.slice('mstore-lda: '.length, -1), says);
        });
      }
      await t.test('and every message lies where it belongs, octet for octet', async () => {
        const mail = await world.mail();
        const expected = contractCases.flatMap((one) => (one.mail ?? []).map((place) => ({ ...one, place })));
        assert.deepEqual([...mail.keys()].sort(), expected.map(({ place }) => place[0]).sort());
        for (const {
          place: [where, sender, to],
          stored: rest = stored,
          name: what,
        } of expected) {
          const [octets = '', ...more] = mail.get(where) ?? [];
          assert.deepEqual(more, [], what);
          assert.match(octets, traceOf(sender, to), what);
          assert.equal(octets.replace(traceOf(sender, to), ''), rest, what);
        }
      });
    });
  }
}
