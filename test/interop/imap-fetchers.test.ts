/** fetchmail and getmail by IMAP: mail taken away or left there, each message once. */
import assert from 'node:assert/strict';
import { chown, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireProgram } from '../support/interop.ts';
import { assertAll, filesIn, nobody, run, runWell, withLf } from '../support/programs.ts';
import { bodyOf, distinctBodies, throughGetmail, writeGetmailrc } from './getmail.ts';
import { ImapScene, mailToShow, shown } from './imap-scene.ts';

async function fetchmailrc(scene: ImapScene, mail: string, keeps: boolean): Promise<string> {
  const collector = join(scene.folder, 'collect');
  await writeFile(collector, `#!/bin/sh\nexec cat >"${mail}/$(($(ls "${mail}" | wc -l) + 1))"\n`, { mode: 0o755 });
  const file = join(scene.folder, 'fetchmailrc');
  await writeFile(
    file,
    `set invisible
set no bouncemail
poll 127.0.0.1 service ${scene.port} protocol imap bad-header accept no envelope no dns timeout 60
  user "${scene.login}" password "${scene.password}" sslproto ''
  is postmaster here ${keeps ? 'keep' : 'no keep'} no rewrite no mimedecode no dropstatus no dropdelivered mda "${collector}"
`,
    { mode: 0o600 },
  );
  return file;
}

/** fetchmail 6.4 cuts lines at 8 KiB and puts octets of its own there. */
const fetchmailLineBytes = 8_190;

/** What fetchmail has nothing of its own to put into: a header with a field, and lines that it can hold. */
function isWhole(octets: Buffer): boolean {
  const text = octets.toString('latin1');
  return /^[!-9;-~]+:/.test(text) && text.split('\n').every(({ length }) => length <= fetchmailLineBytes);
}

/**
 * As fetchmail gives a message to its delivery program: without any CR, and without lines of the header that begin with `From `; with
 * an empty line behind the header, and with an end of the last line, also where there were none.
 */
function throughFetchmail(octets: Buffer): Buffer {
  const text = shown(octets).toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const header = end === -1 ? text : text.slice(0, end + 2);
  const rest = end === -1 ? '\r\n' : text.slice(end + 2);
  const kept = header.split(/(?<=\r\n)/).filter((line) => !line.startsWith('From '));
  const file = (kept.join('') + rest).replaceAll('\r', '');
  return Buffer.from(file.endsWith('\n') ? file : `${file}\n`, 'latin1');
}

for (const keeps of [true, false]) {
  test(`fetchmail fetches every message once, and ${keeps ? 'leaves them there, seen' : 'deletes them'}`, async (t) => {
    const fetchmail = requireProgram(t, 'fetchmail');
    if (fetchmail === undefined) return;
    await using scene = await ImapScene.start();
    const mail = await mailToShow();
    await scene.fill('INBOX', mail);
    const place = join(scene.folder, 'mail');
    await mkdir(place);
    const file = await fetchmailrc(scene, place, keeps);
    const env = { ...process.env, HOME: scene.folder, FETCHMAILHOME: scene.folder };
    const args = ['--fetchmailrc', file, '--nosyslog', '--pidfile', join(scene.folder, 'pid')];
    await runWell(fetchmail, args, { env });
    const got = await filesIn(place, /^(\d+)$/);
    assert.equal(got.length, mail.length);
    const whole = (_: Buffer, at: number): boolean => isWhole(mail[at] ?? Buffer.alloc(0));
    assertAll(got.filter(whole), mail.map(throughFetchmail).filter(whole));
    const left = await scene.mail('INBOX');
    assert.deepEqual(
      left.map(({ flags }) => flags.join()),
      keeps ? mail.map(() => 'Seen') : [],
    );
    // 1: no mail.
    const second = await run(fetchmail, args, { env });
    assert.equal(second.code, 1, second.stdout + second.stderr);
    assert.equal((await readdir(place)).length, mail.length);
  });
}

async function getmailrc(scene: ImapScene, maildir: string): Promise<string> {
  const file = join(scene.folder, 'getmailrc');
  const retriever = [
    'type = SimpleIMAPRetriever',
    'server = 127.0.0.1',
    `port = ${scene.port}`,
    `username = ${scene.login}`,
    `password = ${scene.password}`,
    'mailboxes = ("INBOX", "a&b/x (y)")',
  ];
  await writeGetmailrc(file, retriever, maildir, ['read_all = true']);
  return file;
}

test('getmail fetches every body and deletes, so that the mailboxes are empty', async (t) => {
  const getmail = requireProgram(t, 'getmail');
  if (getmail === undefined) return;
  await using scene = await ImapScene.start();
  const mail = await mailToShow();
  await scene.create('a&b/x (y)');
  await scene.fill('INBOX', mail.slice(5));
  await scene.fill('a&b/x (y)', mail.slice(0, 5));
  const maildir = join(scene.folder, 'maildir');
  for (const name of ['', 'cur', 'new', 'tmp']) await mkdir(join(maildir, name));
  const file = await getmailrc(scene, maildir);
  const user = process.getuid?.() === 0 ? nobody : {};
  if (process.getuid?.() === 0) {
    for (const name of ['cur', 'new', 'tmp', '']) await chown(join(maildir, name), nobody.uid, nobody.gid);
  }
  const left = async (): Promise<number> =>
    (await scene.stored('INBOX')).length + (await scene.stored('a&b/x (y)')).length;
  // A hundred a session: getmail 6.18 may miss the end of the process that writes a message, gives up, and begins anew.
  const runsMax = 10 + mail.length / 50;
  for (let runs = 0; runs < runsMax && (await left()) > 0; runs++) {
    const args = ['--rcfile', file, '--getmaildir', scene.folder];
    const ran = await run(getmail, args, { ...user, env: { ...process.env, HOME: scene.folder } });
    if (!ran.stderr.includes('waiting child pid')) assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  }
  assert.equal(await left(), 0);
  const got = await filesIn(join(maildir, 'new'), /Q(\d+)/);
  const originals = mail.map(shown);
  const passed = await throughGetmail(scene.folder, originals);
  assertAll(distinctBodies(got), distinctBodies(passed));
  const same = passed.filter((octets, at) => bodyOf(octets).equals(bodyOf(withLf(originals[at] ?? Buffer.alloc(0)))));
  t.diagnostic(`${same.length} of ${mail.length} bodies as they were`);
  assert.ok(same.length > 0.8 * mail.length);
});
