import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CorpusFile, skipWithoutCorpus } from '../support/corpus.ts';
import { counts } from '../support/long.ts';
import { asStored, CliStore } from './command.ts';

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

test('the whole corpus comes in as eml, Maildir and mbox, and goes out as each, octet for octet', async (t) => {
  const files = skipWithoutCorpus(t)?.filter(({ kind }) => kind === 'message');
  if (files === undefined) return;
  await using store = await CliStore.make('eml', 'maildir', 'mbox');
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
    await store.done(['import', form, place(form), '--user', form]);
    assertSame(files, await store.octets(form), expected);
  }
  for (const form of ['maildir', 'mbox']) {
    await store.done(['user', 'add', `back-${form}`]);
    await store.done(['export', form, place(`out-${form}`), '--user', 'eml']);
    await store.done(['import', form, place(`out-${form}`), '--user', `back-${form}`]);
    assertSame(files, await store.octets(`back-${form}`), expected);
  }
});

test('messages of the corpus are delivered by a process each, and keep their octets below the trace lines', async (t) => {
  const all = skipWithoutCorpus(t)?.filter(({ kind }) => kind === 'message');
  if (all === undefined) return;
  const step = Math.max(1, Math.floor(all.length / counts(200, all.length)));
  const files = all.filter((_, at) => at % step === 0);
  await using store = await CliStore.make('ada');
  for (const { path } of files) await store.done(['deliver', '-d', 'ada', '-f', 'a@b', path]);
  const trace = /^Return-Path: <a@b>\r\nDelivered-To: ada\r\nReceived: [^\r]*\r\n\t[^\r]*\r\n/;
  const withoutFromLine = (octets: Buffer): Buffer =>
    octets.subarray(0, 5).equals(Buffer.from('From ')) ? octets.subarray(octets.indexOf(10) + 1) : octets;
  const got = (await store.octets('ada')).map((octets) => {
    const text = octets.toString('latin1');
    assert.match(text, trace);
    return Buffer.from(text.replace(trace, ''), 'latin1');
  });
  const expected = await Promise.all(files.map(async ({ path }) => asStored(withoutFromLine(await readFile(path)))));
  assertSame(files, got, expected);
});
