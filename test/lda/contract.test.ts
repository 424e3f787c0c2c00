/** The contract of mstore-lda, kept by both of its forms, with a daemon and without one. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { HeldSocket } from '@mstore/net';
import { Store } from '@mstore/store';
import { counts } from '../support/long.ts';
import { contractCases, message, messageBytesMax, stored } from './contract-cases.ts';
import { assertEnded, endOf, feed, forms, LdaWorld, traceOf } from './world.ts';

const config = `[limits]\nmessageBytes = ${messageBytesMax}\n[login]\ndefaultDomain = "x.example"\n`;
const users = [
  ...contractCases.flatMap((one) => one.users ?? []).map((local) => ({ address: `${local}@x.example` })),
  { address: 'full@x.example', quotaBytes: 100 },
];
const aliases = { 'alias@x.example': ['aliased1@x.example', 'aliased2@x.example'] };
const ada = { address: 'ada@x.example' };
/** More than pipes and sockets hold: who was fed it is reading. */
const large = Buffer.alloc(2_000_000, 'abcdefghijklmno\n');

interface Setting {
  readonly name: string;
  readonly command: readonly string[];
  readonly hasDaemon: boolean;
  readonly isNative: boolean;
}

const settings: readonly Setting[] = forms.flatMap(({ name, command, isNative }) => [
  { name: `${name}, with a daemon`, command, hasDaemon: true, isNative },
  { name: `${name}, alone`, command, hasDaemon: false, isNative },
]);

for (const { name, command, hasDaemon, isNative } of settings) {
  // The trampoline alone only starts the other form.
  const isBriefer = isNative && !hasDaemon;
  // Everything is decided by the same code; a short run starts Node for a part of the cases only.
  const share = isNative ? (hasDaemon ? 1 : counts(4, 1)) : counts(hasDaemon ? 3 : 2, 1);
  const cases = contractCases.filter((_, at) => at % share === 0);

  test(`${name}: every case of the table`, { concurrency: hasDaemon ? 3 : 1 }, async (t) => {
    await using world = await LdaWorld.make(command, users, config, aliases);
    if (hasDaemon) await world.startDaemon();
    const running = cases.map(({ name: what, args, input = message, code, says = /./ }) =>
      t.test(what, async () => {
        const line = assertEnded(await world.run(args, { input }), code);
        if (code !== 0) assert.match(line, says);
      }),
    );
    await Promise.all(running);
    const mail = await world.mail();
    const expected = cases.flatMap((one) => (one.mail ?? []).map((place) => ({ ...one, place })));
    assert.deepEqual([...mail.keys()].sort(), expected.map(({ place }) => place[0]).sort());
    for (const { place, stored: rest = stored, name: what } of expected) {
      const [where, sender, to] = place;
      const [octets = '', ...more] = mail.get(where) ?? [];
      assert.deepEqual(more, [], what);
      assert.match(octets, traceOf(sender, to), what);
      assert.equal(octets.replace(traceOf(sender, to), ''), rest, what);
    }
  });

  test(`${name}: over quota is 77 where the configuration says so, and nobody has it`, async () => {
    const full = { address: 'full@x.example', quotaBytes: 100 };
    await using world = await LdaWorld.make(command, [ada, full], '[quota]\noverQuota = "permanent"\n');
    if (hasDaemon) await world.startDaemon();
    assert.match(assertEnded(await world.run([full.address], { input: message }), 77), /^full@x.*full$/);
    assertEnded(await world.run([ada.address, full.address], { input: message }), 77);
    assert.deepEqual([...(await world.mail()).keys()], []);
  });

  test(`${name}: killed before its input ends, it leaves nothing behind`, async () => {
    await using world = await LdaWorld.make(command, [ada]);
    if (hasDaemon) await world.startDaemon();
    for (const octets of [Buffer.alloc(0), Buffer.from('S'), large.subarray(0, 70_000), large]) {
      const child = world.start([ada.address]);
      const ran = endOf(child);
      await feed(child, octets);
      child.kill('SIGKILL');
      // The mail server closes its end some time; whoever outlived us must not take that for the end of the message.
      child.stdin?.end();
      assert.equal((await ran).code, 'SIGKILL');
    }
    assert.deepEqual([...(await world.mail()).keys()], []);
  });

  test(`${name}: a signal is 75, and nothing is stored`, async () => {
    await using world = await LdaWorld.make(command, [ada]);
    if (hasDaemon) await world.startDaemon();
    const signals: readonly NodeJS.Signals[] = isBriefer
      ? ['SIGTERM']
      : ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGALRM', 'SIGUSR1', 'SIGXCPU'];
    for (const signal of signals) {
      const child = world.start([ada.address]);
      const ran = endOf(child);
      await feed(child, large);
      child.kill(signal);
      child.stdin?.end();
      assert.match(assertEnded(await ran, 75), /signal/, signal);
    }
    assert.deepEqual([...(await world.mail()).keys()], []);
  });

  test(`${name}: streams that are closed, or nothing to read from`, async () => {
    await using world = await LdaWorld.make(command, [ada]);
    if (hasDaemon) await world.startDaemon();
    const said: [string, number][] = [
      ['exec "$@" <&-', 75],
      ['exec "$@" </dev/null', 75],
      ['exec "$@" </', 75],
      [`exec "$@" 0>'${join(world.directory, 'writable')}'`, 75],
    ];
    for (const [shell, code] of said) assertEnded(await world.runIn(shell, [ada.address]), code);
    for (const closed of ['2>&-', '>&- 2>&-', '2</dev/null']) {
      const ran = await world.runIn(`printf 'a: b\\n\\nc\\n' | "$@" ${closed}`, ['nobody@x.example']);
      assert.deepEqual(ran, { code: 67, line: '' }, closed);
      const done = await world.runIn(`printf 'a: b\\n\\nc\\n' | "$@" ${closed}`, [ada.address]);
      assert.deepEqual(done, { code: 0, line: '' }, closed);
    }
    assert.equal((await world.mail()).get('ada@x.example INBOX')?.length, 3);
  });

  test(`${name}: where the store is, and where there is none`, async () => {
    await using world = await LdaWorld.make(command, [ada]);
    if (hasDaemon) await world.startDaemon();
    const { directory } = world;
    const elsewhere: readonly (readonly string[])[] = [
      [],
      ['--data='],
      ['--data', join(directory, 'absent')],
      ['--data', join(directory, 'mstore.toml')],
      ['--data', directory, '--data', directory],
      // Behind a value, and behind the end of options, it is no option.
      ['-f', '--data', directory],
      ['--', '--data', directory],
      ['--data', join(directory, 'x'.repeat(200))],
    ];
    for (const args of elsewhere.filter((_, at) => !isBriefer || at % 4 === 0)) {
      assertEnded(await world.run([...args, ada.address], { input: message, bare: true }), 75);
    }
    const right: readonly [readonly string[], Record<string, string>][] = [
      [[`--data=${directory}`, ada.address], {}],
      [[ada.address, '-f', '--', '--data', directory], {}],
      [[ada.address], { MSTORE_DATA: directory }],
      [['--data', directory, ada.address], { MSTORE_DATA: '/nonexistent' }],
    ];
    for (const [args, env] of right) assertEnded(await world.run(args, { input: message, bare: true, env }), 0);
    assert.equal((await world.mail()).get('ada@x.example INBOX')?.length, right.length);
  });

  test(`${name}: a store that it may not read is 75`, { skip: process.getuid?.() !== 0 }, async () => {
    await using world = await LdaWorld.make(command, [ada]);
    if (hasDaemon) await world.startDaemon();
    assertEnded(await world.run([ada.address], { input: message, uid: 65_534 }), 75);
    assert.deepEqual([...(await world.mail()).keys()], []);
  });
}

for (const { name, command, isNative } of forms) {
  test(`${name}: a message that does not come forward is 75`, async () => {
    await using world = await LdaWorld.make(command, [ada]);
    await world.startDaemon(300);
    const child = world.start([ada.address]);
    const ran = endOf(child);
    await feed(child, Buffer.from('Subject: a\n'));
    assert.match(assertEnded(await ran, 75), /slowly/);
    child.stdin?.end();
    assert.deepEqual([...(await world.mail()).keys()], []);
  });

  test(`${name}: a daemon killed in the middle of a message is 75, and nothing is stored`, async () => {
    await using world = await LdaWorld.make(command, [ada]);
    await world.startDaemon();
    const child = world.start([ada.address]);
    const ran = endOf(child);
    await feed(child, large);
    await world.stopDaemon('SIGKILL');
    assert.match(assertEnded(await ran, 75), /went away/);
    child.stdin?.end();
    assert.deepEqual([...(await world.mail()).keys()], []);
  });

  test(`${name}: while daemons are killed, 0 means stored once, and 75 stored once at most`, async () => {
    await using world = await LdaWorld.make(command, [ada]);
    const codes: (number | string | null)[] = [];
    const rounds = counts(3, 30);
    const atOnce = isNative ? 20 : 5;
    for (let round = 0; round < rounds; round++) {
      await world.startDaemon();
      const running = Array.from({ length: atOnce }, async (_, at) => {
        const number = round * atOnce + at;
        const { code } = await world.run([ada.address], {
          input: `Subject: number ${number}\n\n${'x'.repeat(5_000)}\n`,
        });
        codes[number] = code;
      });
      await Promise.race(running);
      await world.stopDaemon('SIGKILL');
      await Promise.all(running);
    }
    const found = new Map<number, number>();
    for (const text of (await world.mail()).get('ada@x.example INBOX') ?? []) {
      const number = Number(/^Subject: number (\d+)\r$/m.exec(text)?.[1]);
      found.set(number, (found.get(number) ?? 0) + 1);
    }
    for (const [number, code] of codes.entries()) {
      assert.ok(code === 0 || code === 75, `${number}: ${code}`);
      const times = found.get(number) ?? 0;
      assert.ok(code === 0 ? times === 1 : times <= 1, `${number}: exit code ${code}, found ${times} times`);
    }
  });

  test(`${name}: a socket that nobody listens on is no daemon`, async () => {
    await using world = await LdaWorld.make(command, [ada]);
    const socket = await HeldSocket.bind({ kind: 'unix', path: join(world.directory, 'run', 'lda.sock') }, 0o660);
    assertEnded(await world.run([ada.address], { input: message }), 0);
    socket.close();
    await writeFile(join(world.directory, 'run', 'lda.sock'), 'no socket');
    assertEnded(await world.run([ada.address], { input: message }), 0);
    assert.equal((await world.mail()).get('ada@x.example INBOX')?.length, 2);
  });

  test(`${name}: the whole of the default limit is taken, and not an octet more`, async () => {
    await using world = await LdaWorld.make(command, [ada]);
    await world.startDaemon();
    const whole = Buffer.alloc(67_108_864, `${'abc'.repeat(20)}ab\r\n`);
    assertEnded(await world.run([ada.address], { input: whole }), 0);
    assertEnded(await world.run([ada.address], { input: Buffer.concat([whole, Buffer.from('x')]) }), 65);
    const sizes = await world.look(async (store) => {
      const account = store.catalog().accountNamed(ada.address);
      assert.ok(account !== undefined);
      return [account.row.messages, account.row.bytes];
    });
    assert.equal(sizes[0], 1);
    assert.ok((sizes[1] ?? 0) > whole.length);
  });
}

test('a lock that is held while nobody listens is 75 after the wait', { skip: counts(1, 0) === 1 }, async () => {
  const command = forms.at(-1)?.command ?? [];
  await using world = await LdaWorld.make(command, [ada]);
  const store = await Store.open(world.directory);
  try {
    assertEnded(await world.run([ada.address], { input: message }), 75);
  } finally {
    await store.close();
  }
});
