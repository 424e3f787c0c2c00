/** imapflow, a client for Node: what web mailers do. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { ImapFlow } from 'imapflow';
import { assertAll } from '../support/programs.ts';
import { ImapScene, mailToShow, shown } from './imap-scene.ts';

async function connected(scene: ImapScene, options: { readonly qresync?: boolean } = {}): Promise<ImapFlow> {
  const auth = { user: scene.login, pass: scene.password };
  const flow = new ImapFlow({ host: '127.0.0.1', port: scene.port, secure: false, logger: false, auth, ...options });
  await flow.connect();
  return flow;
}

const name = 'Töpfe & "Pfannen"/🎉';

test('imapflow appends, fetches, flags, copies, moves and deletes', async () => {
  await using scene = await ImapScene.start();
  const mail = (await mailToShow()).map(shown);
  const flow = await connected(scene);
  try {
    assert.equal((await flow.mailboxCreate(name)).path, name);
    const date = new Date('2003-02-01T04:05:06Z');
    for (const octets of mail) {
      const appended = await flow.append(name, octets, ['\\Flagged', '$Mark'], date);
      assert.ok(appended !== false && appended.uid !== undefined);
    }
    assertAll(await scene.stored(name), mail);
    const opened = await flow.mailboxOpen(name);
    assert.equal(opened.exists, mail.length);
    assert.ok(opened.permanentFlags?.has('\\*'));
    const got: Buffer[] = [];
    for await (const message of flow.fetch('1:*', {
      uid: true,
      flags: true,
      envelope: true,
      bodyStructure: true,
      internalDate: true,
      size: true,
      source: true,
      headers: ['subject', 'x-none'],
    })) {
      assert.equal(message.seq, got.length + 1);
      assert.equal(message.size, message.source?.length);
      assert.ok(message.flags?.has('$Mark') && message.flags.has('\\Flagged'));
      assert.deepEqual(new Date(message.internalDate ?? 0), date);
      assert.ok(message.bodyStructure?.type.includes('/') && message.envelope !== undefined);
      got.push(message.source ?? Buffer.alloc(0));
    }
    assertAll(got, mail);
    for (const [index, octets] of mail.slice(0, 10).entries()) {
      const { content } = await flow.download(`${index + 1}`, undefined, { uid: true });
      const pieces: Buffer[] = [];
      for await (const piece of content) pieces.push(piece);
      assert.deepEqual(Buffer.concat(pieces), octets);
    }
    await flow.messageFlagsAdd('1:3', ['\\Seen', 'custom']);
    await flow.messageFlagsRemove('2', ['\\Flagged']);
    await flow.messageFlagsSet('3', ['\\Answered']);
    const flags = await flow.fetchAll('1:3', { flags: true });
    assert.deepEqual(
      flags.map((message) => [...(message.flags ?? [])].filter((flag) => flag !== '\\Recent').sort()),
      [['$Mark', '\\Flagged', '\\Seen', 'custom'], ['$Mark', '\\Seen', 'custom'], ['\\Answered']],
    );
    assert.deepEqual(await flow.search({ seen: true, keyword: 'custom' }, { uid: true }), [1, 2]);
    const dots = await flow.search({
      uid: '1:8',
      or: [{ subject: 'dots' }, { body: 'no header' }],
      not: { deleted: true },
    });
    assert.deepEqual(dots, [1, 4]);
    assert.deepEqual(await flow.search({ header: { subject: 'Müll' } }), []);
    const copied = await flow.messageCopy('1:2', 'Archive');
    assert.ok(copied !== false && copied.uidMap?.size === 2);
    const moved = await flow.messageMove('4:5', 'Trash');
    assert.ok(moved !== false && moved.uidMap?.get(4) === 1 && moved.uidMap.get(5) === 2);
    assert.ok(await flow.messageDelete('1'));
    assertAll(await scene.stored(name), [...mail.slice(1, 3), ...mail.slice(5)]);
    assertAll(await scene.stored('Archive'), mail.slice(0, 2));
    assertAll(await scene.stored('Trash'), mail.slice(3, 5));
    const status = await flow.status('Archive', { messages: true, uidNext: true, unseen: true, recent: true });
    assert.deepEqual([status.messages, status.uidNext, status.unseen], [2, 3, 0]);
  } finally {
    await flow.logout();
  }
});

test('imapflow makes, lists, renames, subscribes and deletes mailboxes', async () => {
  await using scene = await ImapScene.start();
  const flow = await connected(scene);
  try {
    await flow.mailboxCreate(name);
    await flow.mailboxRename(name, ['INBOX', 'a&b']);
    await flow.mailboxSubscribe('INBOX/a&b');
    const listed = await flow.list({ statusQuery: { messages: true, uidNext: true } });
    const names = listed.map(({ path }) => path).sort();
    assert.deepEqual(names, await scene.names());
    assert.equal(listed.find(({ path }) => path === 'Trash')?.specialUse, '\\Trash');
    assert.equal(listed.find(({ path }) => path === 'INBOX/a&b')?.subscribed, true);
    assert.equal(listed.find(({ path }) => path === 'INBOX')?.status?.messages, 0);
    await flow.mailboxDelete('INBOX/a&b');
    assert.ok(!(await scene.names()).includes('INBOX/a&b'));
    await assert.rejects(flow.mailboxOpen('none'));
  } finally {
    await flow.logout();
  }
});

test('imapflow hears of new mail, flags and deletions while it idles', async () => {
  await using scene = await ImapScene.start();
  await scene.fill('INBOX', [Buffer.from('Subject: 1\r\n\r\n'), Buffer.from('Subject: 2\r\n\r\n')]);
  const flow = await connected(scene);
  try {
    await flow.mailboxOpen('INBOX');
    void flow.idle();
    const limit = { signal: AbortSignal.timeout(20_000) };
    const exists = once(flow, 'exists', limit);
    await scene.fill('INBOX', [Buffer.from('Subject: 3\r\n\r\n')]);
    const [grown] = await exists;
    assert.deepEqual([grown.path, grown.count, grown.prevCount], ['INBOX', 3, 2]);
    const session = await scene.session();
    await session.ok('SELECT INBOX');
    const flagged = once(flow, 'flags', limit);
    await session.ok('STORE 2 +FLAGS (\\Flagged)');
    const [changed] = await flagged;
    assert.equal(changed.seq, 2);
    assert.ok(changed.flags.has('\\Flagged'));
    const expunge = once(flow, 'expunge', limit);
    await session.ok('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await session.ok('EXPUNGE');
    const [gone] = await expunge;
    assert.equal(gone.seq ?? gone.uid, 1);
    session.close();
  } finally {
    await flow.logout();
  }
});

test('imapflow is told what changed and what went since it last looked', async (t) => {
  await using scene = await ImapScene.start();
  await scene.fill('INBOX', (await mailToShow()).slice(0, 9));
  const flow = await connected(scene, { qresync: true });
  try {
    if (!flow.capabilities.has('QRESYNC')) return t.skip('the daemon does not announce QRESYNC');
    assert.ok(flow.enabled.has('QRESYNC'));
    const { highestModseq } = await flow.mailboxOpen('INBOX');
    assert.ok(highestModseq !== undefined);
    const session = await scene.session();
    await session.ok('SELECT INBOX');
    await session.ok('STORE 5 +FLAGS (\\Seen)');
    const gone = once(flow, 'expunge', { signal: AbortSignal.timeout(20_000) });
    await session.ok('STORE 2 +FLAGS (\\Deleted)');
    await session.ok('EXPUNGE');
    session.close();
    const changed = await flow.fetchAll('1:*', { uid: true, flags: true }, { changedSince: highestModseq });
    assert.deepEqual(
      changed.map(({ uid }) => uid),
      [5],
    );
    await flow.noop();
    const [event] = await gone;
    assert.equal(event.uid, 2);
  } finally {
    await flow.logout();
  }
});
