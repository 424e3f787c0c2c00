/** mbsync of isync between the daemon and maildirs, both ways. */
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireProgram } from '../support/interop.ts';
import { assertSame, runWell } from '../support/programs.ts';
import { ImapScene, inUtf7, type Mail, mailToShow, shown } from './imap-scene.ts';
import { put, readMaildir, setFlags } from './maildir.ts';

const names = [
  'Entwürfe & "Notizen"',
  'a&b',
  'back\\slash',
  "it's [here]",
  'two  blanks',
  '日本語',
  '日本語/🎉',
  'deep/er/est',
  'INBOX/child',
  'percent % star *',
];

/** A run with all that mbsync can do, and one without compression, so that its commands can be read on the way. */
interface Runs {
  readonly sync: () => Promise<string>;
  readonly plainSync: () => Promise<string>;
}

async function configured(scene: ImapScene): Promise<Runs> {
  const path = join(scene.folder, 'mail');
  await mkdir(path);
  const settings = (more: string): string => `IMAPStore far
Host 127.0.0.1
Port ${scene.port}
User ${scene.login}
Pass ${scene.password}
SSLType None
${more}
MaildirStore near
Path ${path}/
Inbox ${path}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns * INBOX
Create Both
Expunge Both
Sync All
SyncState *
`;
  const runWith = (name: string, more: string): (() => Promise<string>) => {
    const file = join(scene.folder, name);
    return async () => {
      await writeFile(file, settings(more), { mode: 0o600 });
      return runWell('mbsync', ['-c', file, '-a'], { env: { ...process.env, HOME: scene.folder } });
    };
  };
  return { sync: runWith('mbsyncrc', ''), plainSync: runWith('plain', 'DisableExtension COMPRESS=DEFLATE\n') };
}

/** mbsync marks what it copies with an X-TUID behind the header, by which it finds the copy again. */
function withoutTuid(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('latin1').replace(/^X-TUID: [!-~]{12}\r?\n/m, ''), 'latin1');
}

/** As mbsync 1.4 writes a message into a maildir: without any CR, also those that end no line. */
function throughMbsync(octets: Buffer): Buffer {
  return Buffer.from(withoutTuid(shown(octets)).toString('latin1').replaceAll('\r', ''), 'latin1');
}

/** What has no empty line behind its header mbsync leaves where it is, with a warning. */
const endsItsHeader = (octets: Buffer): boolean => /(?:^|\n)\r*\n/.test(octets.toString('latin1'));

/** Where a mailbox lies here: mbsync 1.4 takes names as they are on the wire. */
const local = (scene: ImapScene, name: string): string => join(scene.folder, 'mail', inUtf7(name));

/** Flags and octets of a message in one line. */
function lineOf({ flags, octets }: Mail): string {
  return `${flags.join()} ${octets.toString('latin1')}`;
}

async function assertEqualMailbox(scene: ImapScene, name: string, count: number): Promise<void> {
  const far = (await scene.mail(name)).map((mail) => ({ ...mail, octets: throughMbsync(mail.octets) }));
  const near = (await readMaildir(local(scene, name))).map((mail) => ({ ...mail, octets: withoutTuid(mail.octets) }));
  assert.equal(far.length, count);
  assert.deepEqual(near.map(lineOf).sort(), far.map(lineOf).sort());
}

/** With nothing to do no mailbox changes, and no message moves. */
async function assertIdle(scene: ImapScene, { plainSync }: Runs): Promise<void> {
  scene.tap.take();
  await plainSync();
  assert.deepEqual(scene.tap.takeCommands(), [
    'AUTHENTICATE',
    'CLOSE',
    'LIST',
    'LOGOUT',
    'NAMESPACE',
    'SELECT',
    'UID FETCH',
  ]);
}

test('mbsync fetches every mailbox with all its mail, and then nothing', async (t) => {
  if (requireProgram(t, 'mbsync') === undefined) return;
  await using scene = await ImapScene.start();
  const mail = await mailToShow();
  await scene.fill('INBOX', mail);
  await scene.create(...names);
  for (const name of names) await scene.fill(name, [Buffer.from(`Subject: in a mailbox\r\n\r\n${name}\r\n`)]);
  const runs = await configured(scene);
  await runs.sync();
  const got = (await readMaildir(local(scene, 'INBOX'))).map(({ octets }) => withoutTuid(octets));
  assertSame(got, mail.filter(endsItsHeader).map(throughMbsync));
  for (const name of names) {
    const [only, ...others] = await readMaildir(local(scene, name));
    assert.equal(others.length, 0);
    assert.ok(only !== undefined && withoutTuid(only.octets).toString().endsWith(`\n\n${name}\n`), name);
  }
  await assertIdle(scene, runs);
});

test('mbsync carries new mail, flags and deletions both ways, and makes mailboxes both ways', async (t) => {
  if (requireProgram(t, 'mbsync') === undefined) return;
  await using scene = await ImapScene.start();
  const mail = (await mailToShow()).filter(endsItsHeader).slice(0, 30);
  await scene.fill('INBOX', mail);
  const runs = await configured(scene);
  await runs.sync();
  await assertEqualMailbox(scene, 'INBOX', mail.length);

  const inbox = local(scene, 'INBOX');
  const kept = await readMaildir(inbox);
  // The name of a file holds its UID.
  const [first, second, third] = [1, 2, 3].map((uid) => kept.find(({ path }) => path.includes(`,U=${uid}:`)));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  await setFlags(first.path, 'Seen', 'Flagged');
  await setFlags(second.path, 'Answered', 'Draft');
  await rm(third.path);
  for (const [index, octets] of mail.entries())
    await put(local(scene, 'Töpfe & "Pfannen"/🎉'), `${index}.new`, octets, 'FS');
  await put(inbox, '1.new', Buffer.from('Subject: from here\n\nto there\n'), 'R');
  const session = await scene.session();
  await session.ok('SELECT INBOX');
  await session.ok('UID STORE 6 +FLAGS (\\Flagged)');
  await session.ok('UID STORE 7 +FLAGS (\\Seen \\Draft)');
  await session.ok('UID STORE 8 +FLAGS (\\Deleted)');
  await session.ok('UID EXPUNGE 8');
  session.close();
  await scene.create('there/only');
  await scene.fill('there/only', mail.slice(0, 5));
  await scene.fill('INBOX', [Buffer.from('Subject: from there\r\n\r\nto here\r\n')]);
  const before = await scene.names();
  await runs.sync();

  await assertEqualMailbox(scene, 'INBOX', mail.length);
  await assertEqualMailbox(scene, 'there/only', 5);
  assert.deepEqual(await scene.names(), [...before, 'Töpfe & "Pfannen"/🎉'].sort());
  const carried = (await scene.stored('Töpfe & "Pfannen"/🎉')).map(withoutTuid);
  // Whatever ended a line here ends it with CRLF there.
  const carriedAs = (octets: Buffer): Buffer =>
    Buffer.from(octets.toString('latin1').replaceAll('\r', '').replaceAll('\n', '\r\n'), 'latin1');
  assertSame(carried, mail.map(carriedAs));
  const flags = (await scene.mail('INBOX')).map((message) => message.flags.join());
  for (const wanted of ['Flagged,Seen', 'Answered,Draft', 'Answered', 'Flagged', 'Draft,Seen']) {
    assert.ok(flags.includes(wanted), `${wanted} in ${flags}`);
  }
  await assertIdle(scene, runs);
});
