/** What every mail server must manage with mstore behind it, whichever way it hands mail over. */
import assert from 'node:assert/strict';
import { readFile, readlink, symlink, unlink, writeFile } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { asStored } from '../../cli/command.ts';
import { corpusFiles } from '../../support/corpus.ts';
import { counts } from '../../support/long.ts';
import { seededRandom } from '../../support/random.ts';
import type { Service } from '../../support/service.ts';
import { type Attempt, emptyQueue, eventually, type Mta, outcome } from './mta.ts';

/** A mail server and a service, joined as our document says. */
export interface Setting {
  readonly mta: Mta;
  readonly service: Service;
  readonly way: 'unix' | 'tcp' | 'pipe';
  /** What the mail server makes of a message. */
  readonly passes: (message: Buffer) => Buffer;
  /** mstore.toml, for the restart with another quota policy. */
  readonly config: string;
  /** The link that the mail server runs as mstore-lda. */
  readonly lda: string;
}

interface Case {
  readonly name: string;
  readonly run: (setting: Setting) => Promise<void>;
}

const sender = 'eve@example.net';

function mail(subject: string): Buffer {
  return Buffer.from(
    `From: ${sender}\r\nSubject: ${subject}\r\n\r\nHello.\r\n.\r\n..dots\r\nFrom here on\r\n\x80\xff\r\n`,
    'latin1',
  );
}

interface Delivered {
  readonly returnPath: string;
  readonly deliveredTo: string;
  /** Below the lines of mstore and the mail server's Received. */
  readonly message: Buffer;
}

/** Takes the four trace fields off; each Received ends with its date. */
function untraced(octets: Buffer): Delivered {
  const received = 'Received: [\\s\\S]*?;\\s+\\w{3}, [^\\r\\n]*\\r\\n';
  const trace = new RegExp(`^Return-Path: <(.*)>\\r\\nDelivered-To: (.*)\\r\\n${received}${received}`);
  const text = octets.toString('latin1');
  const [all, returnPath = '', deliveredTo = ''] = trace.exec(text) ?? [];
  assert.ok(all, `no trace:\n${text.slice(0, 1_000)}`);
  return { returnPath, deliveredTo, message: octets.subarray(all.length) };
}

async function drop(service: Service, user: string): Promise<Delivered[]> {
  return (await service.maildrop(user)).map(untraced);
}

/** The one message of a maildrop. */
async function only(service: Service, user: string): Promise<Delivered> {
  const [first, ...more] = await drop(service, user);
  assert.ok(first, `${user} got nothing`);
  assert.equal(more.length, 0, `${user} got ${more.length + 1} messages`);
  return first;
}

/** Users of this setting, new to everybody. */
async function users(service: Service, ...names: readonly string[]): Promise<string[]> {
  const addresses = names.map((name) => `${name}@example.org`);
  await service.addUsers(addresses);
  return addresses;
}

/** What differs, where it first does; nothing where all is the same. */
function difference(got: Buffer, wanted: Buffer, what: string): string[] {
  if (got.equals(wanted)) return [];
  const length = Math.max(got.length, wanted.length);
  let at = 0;
  while (at < length && got[at] === wanted[at]) at++;
  const around = (octets: Buffer): string => JSON.stringify(octets.toString('latin1', Math.max(0, at - 40), at + 40));
  return [`${what}: ${got.length} octets, not ${wanted.length}; at ${at} ${around(got)}, not ${around(wanted)}`];
}

function assertSame(got: Buffer, wanted: Buffer, what: string): void {
  assert.deepEqual(difference(got, wanted, what), []);
}

/** The lines of the log about this message. */
async function attemptsOf(mta: Mta, id: string): Promise<readonly Attempt[]> {
  return (await mta.attempts()).filter((attempt) => attempt.id === id);
}

/** Flushes until nothing waits any more: what changed is known to the daemons a moment later. */
async function flushed(mta: Mta): Promise<void> {
  await eventually('an empty queue after a flush', async () => {
    await mta.flush();
    return (await mta.queue()).length === 0 ? true : undefined;
  });
}

async function plain({ mta, service, passes }: Setting): Promise<void> {
  const [user = ''] = await users(service, 'plain');
  const message = mail('plain');
  const id = await mta.submit({ sender, recipients: [user], message });
  await outcome(mta, id, user, 'sent');
  await emptyQueue(mta);
  const got = await only(service, user);
  assert.equal(got.returnPath, sender);
  assert.equal(got.deliveredTo, user);
  assertSame(got.message, passes(message), 'plain');
}

async function nullSender({ mta, service }: Setting): Promise<void> {
  const [user = ''] = await users(service, 'null-sender');
  await mta.submit({ sender: '', recipients: [user], message: mail('a bounce') });
  await emptyQueue(mta);
  assert.equal((await only(service, user)).returnPath, '');
}

async function detail({ mta, service }: Setting): Promise<void> {
  const [user = ''] = await users(service, 'detail');
  const recipient = user.replace('@', '+work@');
  await mta.submit({ sender, recipients: [recipient], message: mail('detail') });
  await emptyQueue(mta);
  assert.equal((await only(service, user)).deliveredTo, recipient);
}

async function several({ mta, service, way, passes }: Setting): Promise<void> {
  const all = await users(service, 'several-1', 'several-2', 'several-3', 'aliased-1', 'aliased-2');
  await service.administration.setAlias('crew@example.org', ['aliased-1@example.org', 'aliased-2@example.org']);
  const message = mail('to several');
  const recipients = [...all.slice(0, 3), 'crew@example.org'];
  const id = await mta.submit({ sender, recipients, message });
  await emptyQueue(mta);
  for (const user of all) assertSame((await only(service, user)).message, passes(message), user);
  const attempts = await attemptsOf(mta, id);
  assert.deepEqual(attempts.map(({ recipient }) => recipient).sort(), [...recipients].sort());
  // By LMTP one transaction for all: the service logs it under one session.
  const sessions = new Set(attempts.map(({ text }) => /Delivered \((\w+)\)/.exec(text)?.[1]));
  if (way !== 'pipe') assert.equal(sessions.size, 1, JSON.stringify(attempts));
}

async function unknown({ mta, service, way, passes }: Setting): Promise<void> {
  const [user = '', author = ''] = await users(service, 'known', 'author');
  const message = mail('half known');
  const id = await mta.submit({ sender: author, recipients: [user, 'nobody@example.org'], message });
  const { text } = await outcome(mta, id, 'nobody@example.org', 'bounced');
  assert.match(text, way === 'pipe' ? /no such user|returned 67/ : /550 5\.1\.1/);
  await emptyQueue(mta);
  assertSame((await only(service, user)).message, passes(message), 'the known one');
  await assertBounced(service, author, 'nobody@example.org');
}

/** The author has got a bounce, with the null sender, that names the recipient. */
async function assertBounced(service: Service, author: string, recipient: string): Promise<void> {
  const [bounce, ...more] = (await service.maildrop(author)).map((octets) => octets.toString('latin1'));
  assert.ok(bounce, 'the author got no bounce');
  assert.equal(more.length, 0);
  assert.match(bounce, /^Return-Path: <>\r\n/);
  assert.ok(bounce.includes(recipient), bounce);
}

async function overQuota({ mta, service, way, passes }: Setting): Promise<void> {
  const [author = ''] = await users(service, 'quota-author');
  const user = 'full@example.org';
  await service.addUser(user, 10);
  const message = mail('too much');
  const id = await mta.submit({ sender: author, recipients: [user], message });
  const { text } = await outcome(mta, id, user, 'deferred');
  assert.match(text, way === 'pipe' ? /full|returned 75/ : /452 4\.2\.2/);
  assert.deepEqual(
    (await mta.queue()).map(({ id: waiting, recipient }) => [waiting, recipient]),
    [[id, user]],
  );
  assert.deepEqual(await service.maildrop(user), []);
  await service.addUser(user, 0);
  await flushed(mta);
  assertSame((await only(service, user)).message, passes(message), 'after there was room');
  assert.deepEqual(await service.maildrop(author), []);
}

/** Also what the daemons do when they start again, with the policy that makes over quota permanent. */
async function down({ mta, service, way, passes, config }: Setting): Promise<void> {
  const [user = '', author = ''] = await users(service, 'patient', 'down-author');
  const message = mail('while it is down');
  await service.stop();
  const id = await mta.submit({ sender: author, recipients: [user], message });
  if (way === 'pipe') await outcome(mta, id, user, 'sent');
  else {
    await outcome(mta, id, user, 'deferred');
    assert.deepEqual(
      (await mta.queue()).map(({ recipient }) => recipient),
      [user],
    );
  }
  await service.configure(`${config}\n[quota]\noverQuota = "permanent"\n`);
  await service.start();
  await flushed(mta);
  assertSame((await only(service, user)).message, passes(message), 'after it was up');
  assert.equal((await attemptsOf(mta, id)).filter(({ outcome: kind }) => kind === 'sent').length, 1);

  const full = 'full-for-good@example.org';
  await service.addUser(full, 10);
  const refused = await mta.submit({ sender: author, recipients: [full], message });
  const { text } = await outcome(mta, refused, full, 'bounced');
  assert.match(text, way === 'pipe' ? /full|returned 77/ : /552 5\.2\.2/);
  await emptyQueue(mta);
  await assertBounced(service, author, full);
}

async function large({ mta, service, way, passes }: Setting): Promise<void> {
  const [user = ''] = await users(service, 'large');
  const bytesMin = (way === 'tcp' ? counts(8, 50) : 50) * 2 ** 20;
  const lines = seededRandom(50)
    .bytes(57 * 1_000)
    .toString('base64')
    .replace(/.{76}/g, '$&\r\n');
  const head = 'Subject: large\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n';
  const message = Buffer.from(head + lines.repeat(Math.ceil(bytesMin / lines.length)), 'latin1');
  assert.ok(message.length > bytesMin);
  await mta.submit({ sender, recipients: [user], message });
  await emptyQueue(mta);
  assertSame((await only(service, user)).message, passes(message), 'the large one');
}

/** The pipe's program goes away, then is one that is killed, then is itself again. */
/** Longer than an attempt takes from the flush on. */
const attemptMs = 3_000;

async function broken({ mta, service, way, passes, lda }: Setting): Promise<void> {
  if (way !== 'pipe') return;
  const [user = ''] = await users(service, 'steadfast');
  const message = mail('while the program is broken');
  const program = await readlink(lda);
  await unlink(lda);
  const id = await mta.submit({ sender, recipients: [user], message });
  await outcome(mta, id, user, 'deferred');
  await writeFile(lda, '#!/bin/sh\nkill -9 $$\n', { mode: 0o755 });
  // One flush, one attempt: a shell that opens its script while that is replaced would read the program for one, and bounce the mail.
  let flushedAt = Number.NEGATIVE_INFINITY;
  await eventually('a second attempt', async () => {
    if ((await attemptsOf(mta, id)).length >= 2) return true;
    if (performance.now() - flushedAt < attemptMs) return undefined;
    await mta.flush();
    flushedAt = performance.now();
    return undefined;
  });
  await unlink(lda);
  await symlink(program, lda);
  await flushed(mta);
  assertSame((await only(service, user)).message, passes(message), 'after the program was back');
  const kinds = new Set((await attemptsOf(mta, id)).map(({ outcome: kind }) => kind));
  assert.deepEqual([...kinds], ['deferred', 'sent']);
}

/** What the corpus has not: a bare CR, and lines that no mail server would make. */
const odd = Buffer.from(
  `Subject: odd\r\nX-Long: ${'x'.repeat(5_000)}\r\n\r\n${'y'.repeat(100_000)}\r\n\r\n.\r\n${'.'.repeat(3_000)}\r\n\r\n`,
  'latin1',
);

/** The corpus, or as much of it as a short run takes; messages go to details by number, so that their order does not count. */
async function corpus({ mta, service, way, passes }: Setting): Promise<void> {
  const [user = ''] = await users(service, 'corpus');
  const all = (corpusFiles() ?? []).filter(({ kind }) => kind === 'message');
  const step = Math.max(1, Math.floor(all.length / counts(way === 'pipe' ? 20 : 60, all.length)));
  const files = all.filter((_, at) => at % step === 0);
  const messages = await Promise.all(files.map(async ({ path }) => asStored(await readFile(path))));
  messages.push(odd);
  const submissions = messages.map((message, at) => {
    return { sender, recipients: [user.replace('@', `+${at}@`)], message };
  });
  await mta.submitAll(submissions);
  await emptyQueue(mta);
  const found = new Map((await drop(service, user)).map((delivered) => [delivered.deliveredTo, delivered.message]));
  assert.equal(found.size, messages.length);
  const different = messages.flatMap((message, at) => {
    const got = found.get(user.replace('@', `+${at}@`)) ?? Buffer.alloc(0);
    return difference(got, passes(message), files[at]?.name ?? 'the odd one');
  });
  assert.deepEqual(different, []);
}

const cases: readonly Case[] = [
  { name: 'a message arrives as it was sent, below the trace lines', run: plain },
  { name: 'the null sender arrives as <>', run: nullSender },
  { name: 'a detail is kept in the address', run: detail },
  { name: 'several recipients and an alias get one copy each', run: several },
  { name: 'mail for an unknown user is sent back, and the others get theirs', run: unknown },
  { name: 'mail for a full mailbox waits in the queue until there is room', run: overQuota },
  { name: 'a message of 50 MiB arrives (by TCP a smaller one in short runs)', run: large },
  { name: 'the corpus arrives as the mail server passes it on', run: corpus },
  { name: 'a delivery program that is gone or killed costs no mail (by the pipe)', run: broken },
  { name: 'what comes while the service is down arrives once; mail over quota for good is sent back', run: down },
];

/** Runs all cases, one after the other, on the same setting; ends with the first that fails, as its mail may still be about. */
export async function everyCase(t: TestContext, setting: Setting): Promise<void> {
  for (const { name, run } of cases) {
    let isDone = false;
    await t.test(name, async () => {
      await run(setting);
      isDone = true;
    });
    if (!isDone) return;
  }
}
