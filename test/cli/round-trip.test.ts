import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { asStored, CliStore } from './command.ts';

const awkward = [
  'Subject: from\n\nFrom me to you\n>From quoted\n>>From twice\n>>> From no\nX>From no\nFrom',
  'Subject: ends in quotes\n\n>>>>',
  'Subject: cr\n\na\rb\r\r\nc\r\r\r\n\r\nd\n\r',
  'Subject: nul\n\n\0\xff\xfe\n\n\n',
  'Subject: only a header\n',
  '\n',
  'From x Sat Jan  3 01:05:34 1996\nSubject: begins with a From_ line\n\nand has one\n\nFrom y Sat Jan  3 01:05:34 1996\n\nin it\n',
  `Subject: long line\n\n${'>'.repeat(70_000)}From far away\n${'x'.repeat(200_000)}From not\n`,
].map((text) => Buffer.from(text, 'latin1'));

async function filled(...more: readonly Buffer[]): Promise<CliStore> {
  const store = await CliStore.make('ada@x', 'grace@x');
  const folder = join(store.folder, 'in');
  await mkdir(folder);
  for (const [at, octets] of [...awkward, ...more].entries()) await writeFile(join(folder, `${at}.eml`), octets);
  await store.done(['import', 'eml', folder, '--user', 'ada@x']);
  return store;
}

test('octets survive import, and export and import in every form', async () => {
  const large = Buffer.from(`Subject: large\n\n${'>From one\nline\r\r\nand another\n\n'.repeat(70_000)}`);
  await using store = await filled(large);
  const expected = [...awkward, large].map(asStored);
  assert.deepEqual(await store.octets('ada@x'), expected);
  for (const form of ['mbox', 'maildir', 'eml']) {
    const out = join(store.folder, form);
    await store.done(['export', form, out, '--user', 'ada@x']);
    await store.done(['user', 'add', `${form}@x`, '--no-password']);
    await store.done(['import', form, out, '--user', `${form}@x`]);
    assert.deepEqual(await store.octets(`${form}@x`), expected, form);
  }
});

test('an mbox in CRLF, with a byte order mark, bad From_ lines and no last line end is read', async () => {
  await using store = await CliStore.make('ada@x');
  const file = join(store.folder, 'x.mbox');
  const text =
    '\ufeffFrom a@b Sat Jan  3 01:05:34 2015\nSubject: 1\n\nFrom here on\n\nFrom there on\n\n>From x\n\n' +
    'From - Sat Jan  3 01:05:35 2015 +0100\nSubject: 2\n\n\nFrom - \nSubject: 3\n\nend';
  for (const [at, octets] of [text, text.replaceAll('\n', '\r\n')].entries()) {
    await writeFile(file, octets);
    await store.done(['import', 'mbox', file, '--user', 'ada@x', '--mailbox', `M${at}`]);
    const got = (await store.octets('ada@x', `M${at}`)).map((one) => one.toString());
    assert.deepEqual(got, [
      'Subject: 1\r\n\r\nFrom here on\r\n\r\nFrom there on\r\n\r\nFrom x\r\n',
      'Subject: 2\r\n\r\n',
      'Subject: 3\r\n\r\nend\r\n',
    ]);
  }
  const out = join(store.folder, 'out.mbox');
  await store.done(['export', 'mbox', out, '--user', 'ada@x', '--mailbox', 'M0']);
  assert.match(await readFile(out, 'utf8'), /^From MAILER-DAEMON Sat Jan {2}3 01:05:34 2015\n[\s\S]*\n>From here on\n/);
  assert.match(await readFile(out, 'utf8'), /^From MAILER-DAEMON Sat Jan {2}3 00:05:35 2015$/m);
  await writeFile(file, 'Subject: no mbox\n\n');
  assert.match(await store.refused(65, ['import', 'mbox', file, '--user', 'ada@x']), /no mbox/);
});

test('export writes over nothing, and standard output can be an mbox', async () => {
  await using store = await filled();
  const there = join(store.folder, 'there.mbox');
  await writeFile(there, '');
  await store.refused(73, ['export', 'mbox', there, '--user', 'ada@x', '--mailbox', 'INBOX']);
  for (const form of ['mbox', 'maildir', 'eml'])
    await store.refused(73, ['export', form, store.folder, '--user', 'ada@x']);
  await store.refused(67, ['export', 'eml', join(store.folder, 'new'), '--user', 'nobody@x']);
  await store.refused(66, ['export', 'eml', join(store.folder, 'new'), '--user', 'ada@x', '--mailbox', 'None']);
  const { stdout } = await store.run(['export', 'mbox', '-', '--user', 'ada@x', '--mailbox', 'INBOX']);
  await store.done(['export', 'mbox', join(store.folder, 'new.mbox'), '--user', 'ada@x', '--mailbox', 'INBOX']);
  assert.deepEqual(stdout, await readFile(join(store.folder, 'new.mbox')));
});

test('mailbox names, flags, keywords, dates, order and UIDLs go through a Maildir', async () => {
  await using store = await CliStore.make('ada@x', 'grace@x');
  const maildir = join(store.folder, 'Maildir');
  for (const folder of ['', '.Sub.Näme', '.&AOQ-.a&AC4-b']) {
    for (const name of ['cur', 'new', 'tmp']) await mkdir(join(maildir, folder, name), { recursive: true });
  }
  await writeFile(join(maildir, 'dovecot-keywords'), '0 $Junk\n1 work\n');
  await writeFile(join(maildir, 'dovecot-uidlist'), '3 V1 N9 Gabc\n5 Psecond :1000.b\n7 Pfirst W9 :2000.a:2,S\n');
  await writeFile(join(maildir, 'cur/2000.a:2,FRSTabP'), 'Subject: a\n\n');
  await writeFile(join(maildir, 'new/1000.b'), 'Subject: b\n\n');
  await writeFile(join(maildir, '.Sub.Näme/cur/1.c:2,D'), 'Subject: c\n\n');
  await writeFile(join(maildir, '.&AOQ-.a&AC4-b/cur/1.d:2,'), 'Subject: d\n\n');
  await utimes(join(maildir, 'cur/2000.a:2,FRSTabP'), 1_000_000_000, 1_000_000_000);
  await store.done(['import', 'maildir', maildir, '--user', 'ada@x']);
  const listed = await store.done(['dump', 'account', 'ada@x']);
  for (const name of ['Sub/Näme', 'ä/a.b']) assert.ok(listed.includes(name), name);
  assert.deepEqual((await store.octets('ada@x')).map(String), ['Subject: b\r\n\r\n', 'Subject: a\r\n\r\n']);
  const out = join(store.folder, 'out');
  await store.done(['export', 'maildir', out, '--user', 'ada@x']);
  const names = (await readdir(join(out, 'cur'))).map((name) => name.replace(/^.*:/, ''));
  assert.deepEqual(names.sort(), ['2,', '2,FPRSTab']);
  const first = (await readdir(join(out, 'cur'))).find((name) => name.endsWith('ab')) ?? '';
  assert.equal((await stat(join(out, 'cur', first))).mtimeMs, 1e12);
  assert.equal(await readFile(join(out, 'dovecot-keywords'), 'utf8'), '0 $Junk\n1 work\n');
  assert.match(await readFile(join(out, 'dovecot-uidlist'), 'utf8'), /^3 V\d+ N3\n1 Psecond :\S+\n2 Pfirst :\S+\n$/);
  await cp(out, join(store.folder, 'again'), { recursive: true, preserveTimestamps: true });
  await store.done(['import', 'maildir', join(store.folder, 'again'), '--user', 'grace@x']);
  const again = join(store.folder, 'again-out');
  await store.done(['export', 'maildir', again, '--user', 'grace@x']);
  const stable = async (folder: string): Promise<string[]> =>
    (await readdir(folder, { recursive: true })).map((name) => name.replace(/V\d+/, '')).sort();
  assert.deepEqual(await stable(again), await stable(out));
});

test('mailbox names that paths cannot have go through an eml tree and an mbox tree', async () => {
  await using store = await CliStore.make('ada@x', 'grace@x', 'ken@x');
  const names = ['a.b', '..', '.hidden/x', '50%', 'con:q?', '5.eml', 'x.mbox/y', 'INBOX/child', 'ü 日本', '%41'];
  const file = join(store.folder, 'x.eml');
  await writeFile(file, 'Subject: x\n\n');
  for (const name of names) await store.done(['import', 'eml', file, '--user', 'ada@x', '--mailbox', name]);
  await store.done(['export', 'eml', join(store.folder, 'tree'), '--user', 'ada@x']);
  await store.done(['import', 'eml', join(store.folder, 'tree'), '--user', 'grace@x']);
  await store.done(['export', 'mbox', join(store.folder, 'boxes'), '--user', 'grace@x']);
  await store.done(['import', 'mbox', join(store.folder, 'boxes'), '--user', 'ken@x']);
  for (const user of ['grace@x', 'ken@x']) {
    const listed = await store.done(['dump', 'account', user]);
    for (const name of names) assert.ok(listed.includes(`\n${name} `), `${user}: ${name}\n${listed}`);
  }
});

test('a mailbox whose name is too long for a file is named, and the others are exported', async () => {
  await using store = await filled();
  const level = 'ж'.repeat(60);
  const [long, deep] = ['x'.repeat(260), `${level}/${level}`];
  const file = join(store.folder, 'one.eml');
  await writeFile(file, 'Subject: one\n\n');
  for (const mailbox of [long, deep, 'behind']) {
    await store.done(['import', 'eml', file, '--user', 'ada@x', '--mailbox', mailbox]);
  }
  for (const [form, left] of [
    ['mbox', [long]],
    ['maildir', [long, deep]],
    ['eml', [long]],
  ] as const) {
    const { code, stdout } = await store.run(['export', form, join(store.folder, form), '--user', 'ada@x', '--json']);
    assert.equal(code, 1, form);
    const report = JSON.parse(stdout.toString());
    assert.deepEqual(
      report.unnamed.map(({ mailbox }: { mailbox: string }) => mailbox),
      left,
    );
    assert.equal(report.mailboxes.behind, 1, form);
  }
  await store.done(['export', 'mbox', join(store.folder, 'long.mbox'), '--user', 'ada@x', '--mailbox', long]);
});

test('files and folders whose names are not UTF-8 are imported, and links that lead nowhere are told', async () => {
  await using store = await CliStore.make('ada@x');
  const root = Buffer.from(`${store.folder}/Maildir/`);
  const at = (name: string): Buffer => Buffer.concat([root, Buffer.from(name, 'latin1')]);
  for (const folder of ['cur', '.caf\xe9/cur', 'tree/caf\xe9']) await mkdir(at(folder), { recursive: true });
  await writeFile(at('cur/1.\xe9:2,S'), 'Subject: one\n\n');
  await writeFile(at('.caf\xe9/cur/2.x:2,'), 'Subject: two\n\n');
  await writeFile(at('tree/caf\xe9/\xe9.eml'), 'Subject: three\n\n');
  await store.done(['import', 'maildir', `${root}`, '--user', 'ada@x']);
  await store.done(['import', 'eml', `${root}tree`, '--user', 'ada@x']);
  assert.deepEqual((await store.octets('ada@x')).map(String), ['Subject: one\r\n\r\n']);
  const inFolders = (await store.octets('ada@x', 'café')).map(String);
  assert.deepEqual(inFolders, ['Subject: two\r\n\r\n', 'Subject: three\r\n\r\n']);
  await symlink('nowhere', at('cur/3.z:2,'));
  const { code, stderr } = await store.run(['import', 'maildir', `${root}`, '--user', 'ada@x']);
  assert.equal(code, 1);
  assert.match(stderr, /1 files? (?:was|were) gone/);
});

test('a message over the limit is refused by name, and the others are imported', async () => {
  await using store = await CliStore.make('ada@x');
  await writeFile(join(store.directory, 'mstore.toml'), '[limits]\nmessageBytes = "3M"\n');
  const one = (n: number, bytes: number): string =>
    `From x Sat Jan  3 01:05:3${n} 2015\nSubject: ${n}\n\n${'y'.repeat(bytes)}\n\n`;
  const file = join(store.folder, 'x.mbox');
  await writeFile(file, one(1, 10) + one(2, 4_000_000) + one(3, 2_500_000) + one(4, 10));
  const { code, stderr, stdout } = await store.run(['import', 'mbox', file, '--user', 'ada@x']);
  assert.equal(code, 1);
  assert.match(stderr, /^mstore: refused .*x\.mbox: message 2 \(offset \d+\): message of more than 3145728 octets\n$/);
  assert.match(stdout.toString(), /^3 messages imported .*, 1 message refused/);
  assert.deepEqual(
    (await store.octets('ada@x')).map((o) => o.toString('latin1', 9, 10)),
    ['1', '3', '4'],
  );
});

test('mail in folders that no mailbox can be called after is refused by name, and the rest is imported', async () => {
  await using store = await CliStore.make('ada@x');
  const root = join(store.folder, 'Maildir');
  // An empty level; an octet that is a control character where it is read as Latin-1; and two that are none.
  const folders = ['', '/.a..b', '/.b\x85', '/.c'].map((name) => Buffer.from(`${root}${name}/cur`, 'latin1'));
  for (const [at, folder] of folders.entries()) {
    await mkdir(folder, { recursive: true });
    for (const n of [1, 2]) {
      const path = Buffer.concat([folder, Buffer.from(`/${n}.M:2,S`)]);
      await writeFile(path, n === 1 && at === 1 ? `Subject: long\n\n${'x'.repeat(2_000_000)}\n` : `Subject: ${at}\n\n`);
    }
  }
  const { code, stdout } = await store.run(['import', 'maildir', root, '--user', 'ada@x', '--json']);
  assert.equal(code, 1);
  const { imported, refused, mailboxes } = JSON.parse(stdout.toString());
  assert.deepEqual({ imported, refused, mailboxes }, { imported: 4, refused: 4, mailboxes: { INBOX: 2, c: 2 } });
});

test('the internal date is that of the topmost Received, else of Date, else the file time', async () => {
  await using store = await CliStore.make('ada@x');
  const folder = join(store.folder, 'in');
  await mkdir(folder);
  const received =
    'Received: from a\n by b (x; y);\n Thu, 1 Jan 2015 02:00:00 +0200 (EET)\nReceived: c; 1 Jan 1999 00:00:00 +0000\n';
  await writeFile(join(folder, '1.eml'), `${received}Date: 1 Jan 1990 00:00 GMT\n\nDate: x\n`);
  await writeFile(join(folder, '2.eml'), 'Date: Thu, 01 Jan 15 01:00 EST\n\n');
  await writeFile(join(folder, '3.eml'), 'Subject: x\n\nDate: 1 Jan 1990 00:00 GMT\n');
  await utimes(join(folder, '3.eml'), 1_000_000_000, 1_000_000_000);
  await store.done(['import', 'eml', folder, '--user', 'ada@x']);
  const out = join(store.folder, 'out');
  await store.done(['export', 'eml', out, '--user', 'ada@x']);
  const dates = await Promise.all([1, 2, 3].map(async (n) => (await stat(join(out, `INBOX/${n}.eml`))).mtimeMs / 1000));
  assert.deepEqual(dates, [1_420_070_400, 1_420_092_000, 1_000_000_000]);
});

test('a message from before 1970 is exported with its time', async () => {
  await using store = await CliStore.make('ada@x');
  const file = join(store.folder, 'old.eml');
  await writeFile(file, 'Date: Fri, 1 Jan 1965 12:00:00 +0000\nSubject: old\n\n');
  await store.done(['import', 'eml', file, '--user', 'ada@x']);
  const out = join(store.folder, 'out');
  await store.done(['export', 'eml', out, '--user', 'ada@x']);
  assert.equal((await stat(join(out, 'INBOX/1.eml'))).mtimeMs, Date.UTC(1965, 0, 1, 12));
});

test('standard output takes one mailbox as mbox, and nothing else is made a folder of that name', async () => {
  await using store = await CliStore.make('ada@x');
  await store.done(['deliver', '-d', 'ada@x'], { input: 'Subject: x\n\nx\n' });
  const options = { cwd: store.folder };
  for (const form of ['mbox', 'maildir', 'eml']) {
    const refused = await store.refused(2, ['export', form, '-', '--user', 'ada@x'], options);
    assert.match(refused, /export mbox - --mailbox NAME/);
  }
  assert.ok(!(await readdir(store.folder)).includes('-'));
  const out = await store.done(['export', 'mbox', '-', '--user', 'ada@x', '--mailbox', 'INBOX'], options);
  assert.match(out, /^From .*\n[\s\S]*Subject: x\n/);
});
