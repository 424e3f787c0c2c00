/** The daemon's side of mstore-lda: permissions, turns, bounds, draining, the log (docs/protocols/lda-socket.md). */
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import { LdaService } from './service.ts';

const message = 'Subject: a\n\nb\n';

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'waited too long');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('the socket is for its owner and its group', async () => {
  await using service = await LdaService.start();
  assert.equal((await stat(service.path)).mode & 0o777, 0o660);
});

test('a delivery is logged with session, sender, recipient, place and size, and so is a refusal', async () => {
  await using service = await LdaService.start();
  assert.equal(await (await service.caller()).deliver(message, '-f', 'me@y.example', 'ada@x.example'), '0 \n');
  assert.equal(
    await (await service.caller()).deliver(message, '-d', 'bob@x.example'),
    '67 bob@x.example: no such user\n',
  );
  assert.match(await (await service.caller()).deliver(message, '-q'), /^75 unknown option -q\n$/);
  const [delivered, refused, misused] = service.log;
  const { session, size, uid, mailbox, sender, recipient } = delivered ?? {};
  assert.deepEqual([uid, mailbox, sender, recipient], [1, 'INBOX', 'me@y.example', 'ada@x.example']);
  assert.match(String(session), /^[0-9a-f]{16}$/);
  assert.ok(Number(size) > message.length);
  assert.deepEqual([refused?.recipient, refused?.reason], ['bob@x.example', 'unknownUser']);
  assert.equal(misused?.why, 'unknown option -q');
});

test('beyond the deliveries under way, callers wait unread and are served in the order of their coming', async () => {
  await using service = await LdaService.start({ deliveriesMax: 2 });
  const slow = [await service.caller(), await service.caller()];
  for (const caller of slow) caller.open('ada@x.example');
  await until(() => service.sessions.rows().length === 2);
  const answered: number[] = [];
  const waiting: Promise<unknown>[] = [];
  for (let at = 0; at < 20; at++) {
    const caller = await service.caller();
    waiting.push(caller.deliver(message, 'ada@x.example').then((line) => answered.push(line === '0 \n' ? at : -1)));
  }
  await until(() => service.sessions.rows().length === 22);
  assert.deepEqual(answered, []);
  // One slow caller goes, and the others pass through its place one by one.
  slow[0]?.socket.destroy();
  await Promise.all(waiting);
  assert.deepEqual(answered, [...Array(20).keys()]);
  slow[1]?.piece(message);
  slow[1]?.endMessage();
  assert.equal(await slow[1]?.heard, '0 \n');
  await service.temp.store.settle();
  assert.equal(service.messages, 21);
});

test('thousands of recipients on one command line let the event loop have its turns', async () => {
  await using service = await LdaService.start();
  const recipients = Array.from({ length: 4_000 }, (_, n) => `bob+${n}@x.example`);
  const caller = await service.caller();
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns += 1;
    if (!isDone) setImmediate(count);
  };
  count();
  assert.match(await caller.deliver(message, ...recipients), /^67 /);
  isDone = true;
  assert.ok(turns >= 80, String(turns));
});

test('hundreds at once are all served', async () => {
  await using service = await LdaService.start();
  const callers = await Promise.all(Array.from({ length: 300 }, () => service.caller()));
  const lines = await Promise.all(callers.map((caller) => caller.deliver(message, 'ada@x.example')));
  assert.deepEqual(new Set(lines), new Set(['0 \n']));
  await service.temp.store.settle();
  assert.equal(service.messages, 300);
});

test('beyond the connections, a caller is told to try again', async () => {
  await using service = await LdaService.start({ connectionsMax: 1 });
  const first = await service.caller();
  await until(() => service.sessions.rows().length === 1);
  assert.match(await (await service.caller()).heard, /^75 too many deliveries at once\n$/);
  assert.equal(await first.deliver(message, 'ada@x.example'), '0 \n');
});

test('a caller that says nothing, or goes on too slowly, is told so', async () => {
  await using service = await LdaService.start({ idleTimeoutMs: 100, stallTimeoutMs: 100 });
  assert.match(await (await service.caller()).heard, /^75 nothing was said in time\n$/);
  const slow = await service.caller();
  slow.open('ada@x.example');
  slow.piece('Subject: a\n');
  assert.match(await slow.heard, /^75 the message came too slowly\n$/);
  const late = await service.caller();
  late.socket.write('mstore');
  assert.match(await late.heard, /^75 /);
  assert.equal(service.messages, 0);
});

test('another version is told that it is one', async () => {
  await using service = await LdaService.start();
  const caller = await service.caller();
  caller.socket.write('mstore-lda 2\nA\0\0\0\0');
  assert.match(await caller.heard, /^75 not understood.*version\n$/);
});

test('a drain finishes the message under way and sends those away that have not begun', async () => {
  await using service = await LdaService.start({ deliveriesMax: 2 });
  const under = await service.caller();
  under.open('ada@x.example');
  under.piece('Subject: a\n');
  const idle = await service.caller();
  const queued = await service.caller();
  await until(() => service.sessions.rows().length === 3);
  const drained = service.server.drain(10_000);
  assert.match(await idle.heard, /^75 the service is stopping\n$/);
  assert.match(await queued.heard, /^75 the service is stopping\n$/);
  under.endMessage();
  assert.equal(await under.heard, '0 \n');
  await drained;
});

test('who goes away before the end of the message leaves nothing', async () => {
  await using service = await LdaService.start();
  for (const ends of [true, false]) {
    const caller = await service.caller();
    caller.open('ada@x.example');
    caller.piece(message);
    if (ends) caller.socket.end();
    else caller.socket.destroy();
    await caller.heard;
  }
  await until(() => service.sessions.rows().length === 0);
  assert.equal(service.messages, 0);
});
