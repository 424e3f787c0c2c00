/** mutt and neomutt without a screen: commands are pushed, as a person would type them. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireProgram } from '../support/interop.ts';
import { assertAll, assertSame, filesIn, runWell, withLf } from '../support/programs.ts';
import { ImapScene, mailToShow, shown } from './imap-scene.ts';
import { put } from './maildir.ts';

/** Keys for one run, given as soon as the mailbox is open. */
async function type(scene: ImapScene, program: string, mailbox: string, keys: string): Promise<string> {
  const file = join(scene.folder, 'muttrc');
  const url = `imap://127.0.0.1:${scene.port}/`;
  await writeFile(
    file,
    `set imap_user="${scene.login}"
set imap_pass="${scene.password}"
set folder="${url}"
set spoolfile="+INBOX"
set record=""
set ssl_starttls=no
set ssl_force_tls=no
set confirmappend=no
set confirmcreate=no
set delete=yes
set mark_old=no
set quit=yes
set header_cache=""
set mbox_type=mbox
set sort=mailbox-order
set wait_key=no
set timeout=1
set pipe_decode=no
set pipe_split=yes
set pipe_sep=""
push '${keys}'
`,
  );
  const env = { ...process.env, HOME: scene.folder, TERM: 'vt100', LINES: '50', COLUMNS: '150', LC_ALL: 'C.UTF-8' };
  const command = `${program} -n -F ${file} -f ${mailbox.startsWith('/') ? mailbox : url + mailbox}`;
  // It wants a terminal; script, which is on every Debian, gives it one.
  return runWell('script', ['--quiet', '--return', '--command', command, '/dev/null'], { env });
}

/** Tags everything that is there. */
const all = '<tag-pattern>.<enter><tag-prefix>';

const fromLine = /^From .* \w{3} +\d+ [\d:]+ .*\d{4}\r?\n/;

/** A line of a header as mutt knows it: a field, the rest of one, and in front of all the From_ line of an mbox, with its date. */
const isHeaderLine = (line: string, isFirst: boolean): boolean =>
  /^[^\s:]+:/.test(line) || (isFirst ? fromLine : /^[ \t]/).test(line);

/** With LF, and with an empty line where to mutt the header ends, if there is none; a first line of blanks ends it, too. */
function throughMutt(octets: Buffer): Buffer {
  const file = withLf(shown(octets)).toString('latin1');
  let end = /^(?:[ \t]+\n)?/.exec(file)?.[0].length ?? 0;
  if (end === 0) {
    for (let next = end; next < file.length; end = next) {
      next = file.indexOf('\n', end) + 1 || file.length;
      const line = file.slice(end, next);
      if (line === '\n') return Buffer.from(file, 'latin1');
      if (!isHeaderLine(line, end === 0)) break;
    }
  }
  return Buffer.from(`${file.slice(0, end)}\n${file.slice(end)}`, 'latin1');
}

const withCrlf = (octets: Buffer): Buffer => Buffer.from(octets.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');

/** mutt writes fields of a mailbox file where the header ends, and the empty line behind them; it takes the From_ line away. */
function withoutOwnFields(octets: Buffer): Buffer {
  const text = octets.toString('latin1').replaceAll('\r\r\n', '\r\n').replace(fromLine, '');
  const end = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2;
  const header = end === 1 ? text : text.slice(0, end);
  const fields = header.replace(/^(?:Status|X-Status|Content-Length|Lines):.*\r\n/gim, '');
  return Buffer.from(`${fields}${end === 1 ? '\r\n' : text.slice(end)}`, 'latin1');
}

for (const program of ['mutt', 'neomutt']) {
  test(`${program} reads every message and hands it on with LF`, async (t) => {
    const path = requireProgram(t, program);
    if (path === undefined) return;
    await using scene = await ImapScene.start();
    const mail = await mailToShow();
    await scene.fill('INBOX', mail);
    const place = join(scene.folder, 'piped');
    await mkdir(place);
    const collector = join(scene.folder, 'collect');
    await writeFile(collector, `#!/bin/sh\nexec cat >"${place}/$(($(ls "${place}" | wc -l) + 1))"\n`, { mode: 0o755 });
    await type(scene, path, 'INBOX', `${all}<pipe-message>${collector}<enter><exit>`);
    assertAll(await filesIn(place, /^(\d+)$/), mail.map(throughMutt));
  });

  test(`${program} flags, deletes, undeletes, saves and copies`, async (t) => {
    const path = requireProgram(t, program);
    if (path === undefined) return;
    await using scene = await ImapScene.start();
    const mail = (await mailToShow()).slice(0, 10);
    await scene.fill('INBOX', mail);
    // Pushed keys are ASCII in neomutt.
    const other = program === 'mutt' ? 'Töpfe&🎉' : 'pots&pans';
    const keys = [
      '<jump>1<enter><flag-message>',
      '<jump>2<enter><toggle-new>',
      '<jump>3<enter><set-flag>r',
      '<jump>4<enter><delete-message>',
      '<jump>5<enter><delete-message><jump>5<enter><undelete-message>',
      `<jump>6<enter><save-message>=${other}<enter>`,
      `<jump>7<enter><copy-message>=${other}<enter>`,
      '<sync-mailbox>',
      `${all}<copy-message>=all<enter>`,
      '<exit>',
    ];
    await type(scene, path, 'INBOX', keys.join(''));
    const before = (await scene.mail('INBOX')).map(({ flags }) => flags.join());
    assert.deepEqual(before, ['Flagged', 'Seen', 'Answered,Seen', '', '', '', '', '']);
    const kept = mail.filter((_, at) => at !== 3 && at !== 5);
    assertAll(await scene.stored('INBOX'), kept);
    assertAll(await scene.stored('all'), kept);
    assertAll(await scene.stored(other), mail.slice(5, 7));
  });

  test(`${program} uploads what lies in a maildir`, async (t) => {
    const path = requireProgram(t, program);
    if (path === undefined) return;
    await using scene = await ImapScene.start();
    const mail = (await mailToShow()).map(shown);
    // Told by APPEND that there is no such mailbox, neomutt does not offer to make it.
    await scene.create('uploaded');
    const place = join(scene.folder, 'local');
    for (const [index, octets] of mail.entries()) await put(place, `${index}.x`, octets, index % 3 === 0 ? 'FS' : 'RS');
    await type(scene, path, place, `${all}<copy-message>=uploaded<enter><exit>`);
    const uploaded = await scene.mail('uploaded');
    assertSame(
      uploaded.map(({ octets }) => withoutOwnFields(octets)),
      mail.map((octets) => withoutOwnFields(withCrlf(throughMutt(octets)))),
    );
    const flagged = uploaded.filter(({ flags }) => flags.join() === 'Flagged,Seen');
    assert.equal(flagged.length, Math.ceil(mail.length / 3));
    assert.equal(uploaded.filter(({ flags }) => flags.join() === 'Answered,Seen').length, mail.length - flagged.length);
  });
}
