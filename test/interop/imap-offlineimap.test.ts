/** offlineimap between the daemon and maildirs, both ways. */
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireProgram } from '../support/interop.ts';
import { assertSame, runWell, withLf } from '../support/programs.ts';
import { ImapScene, type Mail, mailToShow, shown } from './imap-scene.ts';
import { put, readMaildir, setFlags } from './maildir.ts';

/** Its basic interface, once, on one connection. A name with a quote in it offlineimap writes as no string of IMAP. */
async function configured(scene: ImapScene): Promise<() => Promise<string>> {
  const path = join(scene.folder, 'mail');
  await mkdir(path);
  const file = join(scene.folder, 'offlineimaprc');
  await writeFile(
    file,
    `[general]
metadata = ${scene.folder}/metadata
accounts = all

[Account all]
localrepository = near
remoterepository = far
utf8foldernames = yes

[Repository near]
type = Maildir
localfolders = ${path}
sep = /

[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = ${scene.port}
remoteuser = ${scene.login}
remotepass = ${scene.password}
ssl = no
starttls = no
auth_mechanisms = PLAIN
`,
    { mode: 0o600 },
  );
  const env = { ...process.env, HOME: scene.folder };
  return () => runWell('offlineimap', ['-c', file, '-o', '-u', 'basic'], { env });
}

/** Prints which of the messages Python's email package gives back as they were, both ways of line ends. */
const unchangedScript = `
import email.parser, email.policy, sys
near = email.policy.default.clone(cte_type='8bit', utf8=True, refold_source='none')
far = near.clone(linesep='\\r\\n')
def through(octets, one, other):
    message = email.parser.BytesParser(policy=one).parsebytes(octets)
    return message.as_bytes(policy=other)
for name in sys.argv[2:]:
    octets = open(sys.argv[1] + '/' + name, 'rb').read()
    try:
        file = through(octets, far, near)
        if file == octets.replace(b'\\r\\n', b'\\n') and through(file, near, far) == octets:
            print(name)
    except Exception:
        pass
`;

/** offlineimap takes messages apart and puts them together again with Python's email package: those that come out of it whole. */
async function unchangedMail(scene: ImapScene): Promise<Buffer[]> {
  const mail = (await mailToShow()).map(shown);
  const place = join(scene.folder, 'tried');
  await mkdir(place);
  for (const [index, octets] of mail.entries()) await writeFile(join(place, `${index}`), octets);
  const unchanged = await runWell('python3', ['-c', unchangedScript, place, ...mail.map((_, index) => `${index}`)]);
  return unchanged.split('\n').flatMap((index) => (index === '' ? [] : [mail[Number(index)] ?? Buffer.alloc(0)]));
}

const local = (scene: ImapScene, name: string): string => join(scene.folder, 'mail', name);

async function assertEqualMailbox(scene: ImapScene, name: string, count: number): Promise<void> {
  const far = await scene.mail(name);
  assert.equal(far.length, count, name);
  const lineOf = ({ flags, octets }: Mail): string => `${flags.join()} ${withLf(octets).toString('latin1')}`;
  assert.deepEqual((await readMaildir(local(scene, name))).map(lineOf).sort(), far.map(lineOf).sort());
}

test('offlineimap fetches and sends mail, flags and deletions, and makes mailboxes both ways', async (t) => {
  if (requireProgram(t, 'offlineimap') === undefined) return;
  await using scene = await ImapScene.start();
  const mail = await unchangedMail(scene);
  assert.ok(mail.length > 4);
  await scene.fill('INBOX', mail);
  const names = ['Entwürfe & Notizen', '日本語/🎉', 'a&b', 'INBOX/child'];
  await scene.create(...names);
  for (const name of names) await scene.fill(name, mail.slice(0, 3));
  const sync = await configured(scene);
  await sync();
  assertSame(
    (await readMaildir(local(scene, 'INBOX'))).map(({ octets }) => octets),
    mail.map(withLf),
  );
  for (const name of names) await assertEqualMailbox(scene, name, 3);

  const inbox = local(scene, 'INBOX');
  const [first, second, third] = await readMaildir(inbox);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  await setFlags(first.path, 'Seen', 'Flagged');
  await setFlags(second.path, 'Answered', 'Draft');
  await rm(third.path);
  for (const [index, octets] of mail.entries())
    await put(local(scene, 'INBOX/Töpfe & 🎉'), `${index}.new`, octets, 'FS');
  await put(inbox, '1.new', Buffer.from('Subject: from here\n\nto there\n'), 'R');
  const session = await scene.session();
  await session.ok('SELECT INBOX');
  await session.ok('STORE 4 +FLAGS (\\Flagged)');
  await session.ok('STORE 3 +FLAGS (\\Deleted)');
  await session.ok('EXPUNGE');
  session.close();
  await scene.create('there/only');
  await scene.fill('there/only', mail.slice(0, 2));
  await scene.fill('INBOX', [Buffer.from('Subject: from there\r\n\r\nto here\r\n')]);
  await sync();

  await assertEqualMailbox(scene, 'INBOX', mail.length);
  await assertEqualMailbox(scene, 'there/only', 2);
  await assertEqualMailbox(scene, 'INBOX/Töpfe & 🎉', mail.length);
  assertSame(await scene.stored('INBOX/Töpfe & 🎉'), mail);
  scene.tap.take();
  await sync();
  // Flags are looked at; messages are fetched by UID FETCH.
  const commands = ['AUTHENTICATE', 'CAPABILITY', 'EXAMINE', 'FETCH', 'ID', 'LIST', 'LOGOUT', 'SELECT'];
  assert.deepEqual(scene.tap.takeCommands(), commands);
});
