import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CorpusFile, skipWithoutCorpus } from '../support/corpus.ts';
import { counts } from '../support/long.ts';
import { asStored, CliStore, withoutFromLine } from './command.ts';

/** Names that sort as the corpus does. */
const nameOf = (at: number): string => String(at).padStart(5, '0');

async function expectedOf(files: readonly CorpusFile[]): Promise<Buffer[]> {
  return Promise.all(files.map(async ({ path }) => asStored(await readFile(path))));
}

function assertSame(files: readonly CorpusFile[], got: readonly Buffer[], expected: readonly Buffer[]): void {
  const different = files.filter((_, at) => expected[at]?.equals(got[at] ?? Buffer.alloc(0)) !== true);
  assert.deepEqual(
    different.map(({ name }) => name),
    [],
  );
  assert.equal(got.length, expected.length);
}

/** As another program would quote it: mboxrd. */
function asMbox(octets: Buffer): string {
  const text = octets.toString('latin1').replace(/(^|\n)(>*From )/g, '$1>$2');
  const end = text === '' || text.endsWith('\n') ? '' : text.endsWith('\r') ? '\r\n' : '\n';
  return `From someone@example.org Sat Jan  3 01:05:34 2015\n${text}${end}\n`;
}

/** As export writes lines: CRLF as LF, but for one behind another CR, which would not come back as it was. */
function withLf(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('latin1').replace(/(?<!\r)\r\n/g, '\n'), 'latin1');
}

/** The messages of a Maildir that export wrote, in order of UID. */
async function maildirFiles(folder: string): Promise<Buffer[]> {
  const uidOf = (name: string): number => Number(/\.U(\d+)V/.exec(name)?.[1]);
  const names = (await readdir(folder)).sort((a, b) => uidOf(a) - uidOf(b));
  return Promise.all(names.map((name) => readFile(join(folder, name))));
}

/** Goes through an exported mbox: a From_ line, the message with LF lines and mboxrd quoting, an empty line; nothing else. */
function assertMbox(mbox: Buffer, messages: readonly Buffer[]): void {
  let at = 0;
  for (const [number, message] of messages.entries()) {
    const lineEnd = mbox.indexOf('\n', at);
    assert.match(mbox.toString('latin1', at, lineEnd), /^From \S+ \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/);
    const text = withLf(message)
      .toString('latin1')
      .replace(/(^|\n)(>*From )/g, '$1>$2');
    const wanted = Buffer.from(`${text}\n`, 'latin1');
    at = lineEnd + 1 + wanted.length;
    assert.ok(mbox.subarray(lineEnd + 1, at).equals(wanted), `message ${number + 1} differs in the exported mbox`);
  }
  assert.equal(at, mbox.length);
}

/** Splits an mbox by the rule that `mstore import mbox --help` gives, on the whole text at once. */
function splitMbox(octets: Buffer): Buffer[] {
  const isEmpty = (line: string | undefined): boolean => line === '\n' || line === '\r\n';
  // A sender and a date; or what Netscape wrote for both.
  const isFromLine = (line: string): boolean =>
    /^From (-\s*|\S+ +|- )((Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\s*)?$/.test(line);
  const messages: string[][] = [];
  const lines = octets
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '')
    .split(/(?<=\n)/);
  for (const [at, line] of lines.entries()) {
    const begins = isFromLine(line) && (at === 0 || isEmpty(lines[at - 1]));
    if (begins) messages.push([]);
    else messages.at(-1)?.push(line);
  }
  return messages.map((message) => {
    const own = isEmpty(message.at(-1)) ? message.slice(0, -1) : message;
    return Buffer.from(own.map((line) => line.replace(/^>(>*From )/, '$1')).join(''), 'latin1');
  });
}

test('the mboxes of the corpus come in as the messages that their empty lines and From_ lines divide', async (t) => {
  const files = skipWithoutCorpus(t)?.filter(({ kind }) => kind === 'mbox');
  if (files === undefined) return;
  const users = files.map((_, at) => `mbox-${at}@x`);
  await using store = await CliStore.make(...users);
  const found: Record<string, number> = {};
  for (const [at, { path, name }] of files.entries()) {
    const user = `mbox-${at}@x`;
    await store.done(['import', 'mbox', path, '--user', user]);
    const expected = splitMbox(await readFile(path)).map(asStored);
    const got = await store.octets(user);
    found[name.replace(/.*\//, '')] = got.length;
    assert.equal(got.length, expected.length, name);
    for (const [number, octets] of got.entries()) {
      assert.ok(expected[number]?.equals(octets), `${name}: message ${number + 1}`);
    }
  }
  t.diagnostic(JSON.stringify(found));
});

test('the whole corpus comes in as eml, Maildir and mbox, and goes out as each, octet for octet', async (t) => {
  const files = skipWithoutCorpus(t);
  if (files === undefined) return;
  await using store = await CliStore.make('eml@x', 'maildir@x', 'mbox@x');
  const place = (name: string): string => join(store.folder, name);
  for (const folder of ['eml', 'maildir/cur', 'maildir/new', 'maildir/tmp'])
    await mkdir(place(folder), { recursive: true });
  const boxes: string[] = [];
  for (const [at, { path }] of files.entries()) {
    await symlink(path, place(`eml/${nameOf(at)}.eml`));
    await symlink(path, place(`maildir/cur/${nameOf(at)}:2,S`));
    boxes.push(asMbox(await readFile(path)));
  }
  await writeFile(place('mbox'), boxes.join(''), 'latin1');
  const expected = await expectedOf(files);
  for (const form of ['eml', 'maildir', 'mbox']) {
    await store.done(['import', form, place(form), '--user', `${form}@x`]);
    assertSame(files, await store.octets(`${form}@x`), expected);
  }
  for (const form of ['maildir', 'mbox']) {
    await store.done(['user', 'add', `back-${form}@x`, '--no-password']);
    await store.done(['export', form, place(`out-${form}`), '--user', 'eml@x']);
    if (form === 'mbox') assertMbox(await readFile(place('out-mbox/INBOX.mbox')), expected);
    else assertSame(files, await maildirFiles(place('out-maildir/cur')), expected.map(withLf));
    await store.done(['import', form, place(`out-${form}`), '--user', `back-${form}@x`]);
    assertSame(files, await store.octets(`back-${form}@x`), expected);
  }
});

test('messages of the corpus are delivered by a process each, and keep their octets below the trace lines', async (t) => {
  const all = skipWithoutCorpus(t);
  if (all === undefined) return;
  const step = Math.max(1, Math.floor(all.length / counts(40, 500)));
  const files = all.filter(({ kind }, at) => at % step === 0 || kind === 'mbox');
  await using store = await CliStore.make('ada@x');
  for (const { path } of files) await store.done(['deliver', '-d', 'ada@x', '-f', 'a@b', path]);
  const trace = /^Return-Path: <a@b>\r\nDelivered-To: ada@x\r\nReceived: [^\r]*\r\n\t[^\r]*\r\n/;
  const got = (await store.octets('ada@x')).map((octets) => {
    const text = octets.toString('latin1');
    assert.match(text, trace);
    return Buffer.from(text.replace(trace, ''), 'latin1');
  });
  const expected = await Promise.all(files.map(async ({ path }) => asStored(withoutFromLine(await readFile(path)))));
  assertSame(files, got, expected);
});
