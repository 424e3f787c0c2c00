/** What stands in for damaged mail: the same message around a text, in every place where it lay, with what it bore there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Catalog, createStore, flag, inbox, repair, Store, UidSet } from '@mstore/store';
import { SegmentSurvey } from '@mstore/store/internal/heap/survey';
import { findingsOf, sceneOptions, segmentPath } from '../support/damage-scene.ts';
import { seededRandom } from '../support/random.ts';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';

const random = seededRandom(11);
const document = random.bytes(6_000);
const picture = random.bytes(5_000);
const lines = (octets: Buffer): string => `${octets.toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n`;

/** A message in a message, with two attachments. */
const nested = Buffer.from(
  [
    'From: a@example.org',
    'Subject: two things',
    'Message-ID: <outer@example.org>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="out"',
    '',
    '--out',
    'Content-Type: message/rfc822',
    '',
    'Subject: inner',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="in"',
    '',
    '--in',
    'Content-Type: application/pdf; name="minutes.pdf"',
    'Content-Disposition: attachment; filename="minutes.pdf"',
    'Content-Transfer-Encoding: base64',
    'X-Kept: yes',
    '',
    `${lines(document)}--in`,
    'Content-Type: text/plain',
    '',
    'between',
    '--in--',
    '--out',
    'Content-Type: image/png',
    'Content-Transfer-Encoding: base64',
    '',
    `${lines(picture)}--out--`,
    '',
  ].join('\r\n'),
);

const single = Buffer.from(
  `Subject: only\r\nMIME-Version: 1.0\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n${lines(random.bytes(7_000))}`,
);

function mailbox(catalog: Catalog, account: string, name: string) {
  const owner = catalog.accountNamed(account);
  const found = owner === undefined ? undefined : catalog.mailboxNamed(owner.id, name);
  assert.ok(found !== undefined, `${account} ${name}`);
  return found;
}

/** Damages the content of the PARTs of this size beyond what one bit explains. */
async function spoilPart(machine: SimMachine, size: number): Promise<void> {
  const survey = await SegmentSurvey.open(machine.ports.fs, simDirectory);
  for (const one of survey.segments) {
    for await (const { type, location, fields, decodedBytes } of survey.records(one)) {
      if (type !== 1 || decodedBytes !== size) continue;
      const at = location.lsn - (one.header?.baseLsn ?? 0) + 32 + fields.length;
      machine.disk.damage(segmentPath(one.number), at + 10, Buffer.from([1, 2, 3, 4, 5]));
    }
  }
  await survey.close();
}

async function furnish(machine: SimMachine): Promise<void> {
  await createStore(simDirectory, sceneOptions(machine));
  const store = await Store.open(simDirectory, sceneOptions(machine));
  const { account: ann } = await store.createAccount('ann@example.org');
  const { account: bob } = await store.createAccount('bob@example.org');
  const trace = Buffer.from('Delivered-To: x\r\n');
  await store.deliver(await store.take(nested), [
    { account: ann, trace },
    { account: bob, trace },
  ]);
  await store.deliver(await store.take(single), [{ account: ann, trace }]);
  const own = mailbox(store.catalog(), 'ann@example.org', inbox).id;
  const marks = { flags: flag.seen | flag.flagged, keywords: ['Work'] };
  await store.setFlags({ mailbox: own, uids: UidSet.range(1, 1), mode: 'add', ...marks });
  const { mailbox: doomed } = await store.createMailbox(ann, 'Doomed');
  await store.copy(own, UidSet.range(1, 1), doomed);
  await store.deleteMailbox(doomed);
  const archive = mailbox(store.catalog(), 'ann@example.org', 'Archive').id;
  await store.copy(own, UidSet.range(1, 1), archive);
  await store.expunge(archive, UidSet.range(1, 1), false);
  await store.close();
}

test('a lost part is replaced wherever its message lies, with flags, keywords, dates and thread', async () => {
  const before = new SimMachine();
  await furnish(before);
  const machine = before.restart();
  await spoilPart(machine, document.length);
  const { findings } = await repair(simDirectory, sceneOptions(machine));
  assert.deepEqual(findings, []);
  const store = await Store.open(simDirectory, sceneOptions(machine));
  const old = await Store.open(simDirectory, sceneOptions(before.restart()));
  try {
    const catalog = store.catalog();
    const was = old.catalog().entry(mailbox(old.catalog(), 'ann@example.org', inbox).id, 1);
    const own = mailbox(catalog, 'ann@example.org', inbox);
    const [kept, entry] = [...catalog.entries(own.id)];
    assert.ok(entry !== undefined && kept?.uid === 2 && was !== undefined);
    assert.equal(entry.uid, 3);
    assert.deepEqual([entry.flags, entry.internalDate, entry.thread], [was.flags, was.internalDate, was.thread]);
    assert.deepEqual(
      entry.keywords.map((number) => catalog.keywords(own.id)[number]),
      ['Work', '$Damaged'],
    );
    const octets = await (await store.open(entry)).whole();
    assert.equal(octets.length, entry.size);
    const text = octets.toString('latin1');
    assert.match(
      text,
      /^Delivered-To: x\r\nX-Mstore-Damaged: \d{4}-\d\d-\d\d; 1 part replaced\r\nFrom: a@example\.org/,
    );
    assert.match(text, /\r\n--in\r\nX-Kept: yes\r\nContent-Type: text\/plain; charset=us-ascii\r\n/);
    assert.match(text, /It was application\/pdf, named "minutes\.pdf": \d+ octets/);
    assert.ok(text.includes(lines(picture)) && !text.includes(lines(document).slice(0, 60)));
    assert.equal(
      text.slice(text.indexOf('\r\n--in\r\nContent-Type: text/plain\r\n\r\n')),
      nested.toString('latin1').slice(nested.indexOf('\r\n--in\r\nContent-Type: text/plain\r\n\r\n')),
    );
    const bobs = [...catalog.entries(mailbox(catalog, 'bob@example.org', inbox).id)];
    assert.deepEqual(
      bobs.map(({ uid, message }) => [uid, message]),
      [[2, entry.message]],
      'one message for all places',
    );
    const archive = mailbox(catalog, 'ann@example.org', 'Archive');
    const retained = [...catalog.retained(archive.id)].map((row) => row.entry);
    assert.deepEqual(
      retained.map(({ uid, message }) => [uid, message]),
      [[2, entry.message]],
      'what was expunged is retained on',
    );
    assert.equal(archive.row.messages, 0);
    const doomed = [...catalog.allMailboxes()].find(({ row }) => row.name === 'Doomed');
    assert.deepEqual([doomed?.row.messages ?? 0, doomed?.row.retainedMessages ?? 0], [0, 0]);
  } finally {
    await old.close();
    await store.close();
  }
  assert.deepEqual(await findingsOf(machine), []);
});

test('a message whose only part is lost keeps its header, but for what told of the part', async () => {
  const machine = new SimMachine();
  await furnish(machine);
  const damaged = machine.restart();
  await spoilPart(damaged, 7_000);
  assert.deepEqual((await repair(simDirectory, sceneOptions(damaged))).findings, []);
  const store = await Store.open(simDirectory, sceneOptions(damaged));
  try {
    const box = mailbox(store.catalog(), 'ann@example.org', inbox).id;
    const entry = [...store.catalog().entries(box)].at(-1);
    assert.ok(entry !== undefined);
    const text = (await (await store.open(entry)).whole()).toString('latin1');
    assert.match(text, /\r\nSubject: only\r\nMIME-Version: 1\.0\r\nContent-Type: text\/plain; charset=us-ascii\r\n/);
    assert.doesNotMatch(text, /application\/zip\r\n|base64/);
    assert.match(text, /It was application\/zip: /);
  } finally {
    await store.close();
  }
});

test('the same content that comes again is stored anew, and not named where it is damaged', async () => {
  const machine = new SimMachine();
  await furnish(machine);
  const damaged = machine.restart();
  await spoilPart(damaged, document.length);
  await repair(simDirectory, sceneOptions(damaged));
  const store = await Store.open(simDirectory, sceneOptions(damaged));
  const account = store.catalog().accountNamed('bob@example.org')?.id;
  assert.ok(account !== undefined);
  const [result] = await store.deliver(await store.take(nested), [{ account, trace: Buffer.alloc(0) }]);
  assert.ok(result?.ok);
  const entry = store.catalog().entry(result.placed.mailbox, result.placed.uid);
  assert.ok(entry !== undefined);
  assert.deepEqual(await (await store.open(entry)).whole(), nested);
  await store.close();
  assert.deepEqual(await findingsOf(damaged), []);
});
