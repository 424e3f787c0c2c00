/** curl: LIST, whole messages, parts of them, uploads. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireProgram } from '../support/interop.ts';
import { assertAll, filesIn, runWell } from '../support/programs.ts';
import { ImapScene, inUtf7, mailToShow, shown } from './imap-scene.ts';

/** curl with a login, on a path below the daemon's address. */
function curl(scene: ImapScene, path: string, ...args: readonly string[]): Promise<string> {
  const url = `imap://127.0.0.1:${scene.port}/${path}`;
  return runWell('curl', ['-sS', '--user', `${scene.login}:${scene.password}`, ...args, url]);
}

test('curl reads every message as it is, whole and from an octet to another', async (t) => {
  if (requireProgram(t, 'curl') === undefined) return;
  await using scene = await ImapScene.start();
  const mail = await mailToShow();
  await scene.fill('INBOX', mail);
  const wanted = mail.map(shown);
  const place = join(scene.folder, 'whole');
  await mkdir(place);
  await curl(scene, `INBOX;UID=[1-${mail.length}]`, '-o', join(place, '#1'));
  assertAll(await filesIn(place, /^(\d+)$/), wanted);
  const numbered = join(scene.folder, 'numbered');
  await mkdir(numbered);
  await curl(scene, `INBOX;MAILINDEX=[1-${mail.length}]`, '-o', join(numbered, '#1'));
  assertAll(await filesIn(numbered, /^(\d+)$/), wanted);
  for (const [from, bytes] of [
    [0, 10],
    [100, 5_000],
    [1, 1],
  ] as const) {
    const windows = join(scene.folder, `window-${from}`);
    await mkdir(windows);
    await curl(scene, `INBOX;UID=[1-${mail.length}];PARTIAL=${from}.${bytes}`, '-o', join(windows, '#1'));
    assertAll(
      await filesIn(windows, /^(\d+)$/),
      wanted.map((octets) => octets.subarray(from, from + bytes)),
    );
  }
});

test('curl reads the sections of a message', async (t) => {
  if (requireProgram(t, 'curl') === undefined) return;
  await using scene = await ImapScene.start();
  const text =
    'Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo\r\n--b--\r\n';
  await scene.fill('INBOX', [Buffer.from(text)]);
  for (const [section, wanted] of [
    ['1', 'one'],
    ['2', 'two'],
    ['2.MIME', 'Content-Type: text/html\r\n\r\n'],
    ['HEADER', text.slice(0, text.indexOf('--b'))],
    ['TEXT', text.slice(text.indexOf('--b'))],
    ['HEADER.FIELDS%20(SUBJECT)', 'Subject: parts\r\n\r\n'],
  ] as const) {
    assert.equal(await curl(scene, `INBOX;UID=1;SECTION=${section}`), wanted, section);
  }
});

test('curl uploads every message as it is', async (t) => {
  if (requireProgram(t, 'curl') === undefined) return;
  await using scene = await ImapScene.start();
  const mail = (await mailToShow()).map(shown);
  const withLf = Buffer.from('Subject: LF\n\nlines\r\nof two kinds\n');
  for (const [index, octets] of [...mail, withLf].entries()) {
    const file = join(scene.folder, `${index}`);
    await writeFile(file, octets);
    await curl(scene, 'INBOX', '-T', file);
  }
  // What a client sends with LF is kept with CRLF.
  const kept = Buffer.from('Subject: LF\r\n\r\nlines\r\nof two kinds\r\n');
  assertAll(await scene.stored('INBOX'), [...mail, kept]);
});

test('curl lists and examines mailboxes of all names, and sends what commands it is told', async (t) => {
  if (requireProgram(t, 'curl') === undefined) return;
  await using scene = await ImapScene.start();
  const names = ['Entwürfe & "Notizen"', 'back\\slash', '日本語/🎉', 'INBOX/child', '100 % *'];
  await scene.create(...names);
  const listed = (await curl(scene, '')).trimEnd().split('\r\n');
  const all = await scene.names();
  assert.equal(listed.length, all.length + 1);
  for (const name of all) {
    const quoted = inUtf7(name).replace(/["\\]/g, '\\$&');
    assert.ok(
      listed.some((line) => line.endsWith(` "/" "${quoted}"`) || line.endsWith(` "/" ${quoted}`)),
      name,
    );
  }
  for (const name of names) {
    await scene.fill(name, [Buffer.from(`Subject: x\r\n\r\n${name}`)]);
    const path = inUtf7(name).split('/').map(encodeURIComponent).join('/');
    const got = await curl(scene, `${path};UID=1`);
    assert.equal(Buffer.from(got, 'latin1').toString(), `Subject: x\r\n\r\n${name}`);
  }
  assert.match(await curl(scene, '', '-X', 'STATUS INBOX (MESSAGES)'), /^\* STATUS INBOX \(MESSAGES 0\)\r\n/);
  await curl(scene, '', '-X', 'CREATE made');
  assert.ok((await scene.names()).includes('made'));
});
