import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDirectory } from '../support/temp.ts';
import { anyHash, CliStore, mstore, refusal, start } from './command.ts';

test('a command that was told no store, or wrong options, says so in one line and exits with 2', async () => {
  for (const args of [['stats'], ['fsck'], ['user', 'list'], ['export', 'mbox', 'x', '--user', 'a']]) {
    assert.match(refusal(2, args, await mstore(args)), /--data/);
  }
  const wrong = [
    ['stats', '--wrong'],
    ['nonsense'],
    ['import', 'mbox'],
    ['user', 'add', 'a@x', '--quota', '1X'],
    ['dump', 'x:y'],
  ];
  for (const args of wrong)
    refusal(2, args, await mstore(['--data', '/nonexistent', ...args].filter((a) => a !== 'dump')));
  assert.equal((await mstore(['--help'])).code, 0);
  assert.equal((await mstore(['user', 'import', '--help'])).code, 0);
});

test('a directory without store is 66, one with a store is not made again: 73', async () => {
  await using store = await CliStore.make();
  const nowhere = join(store.folder, 'nowhere');
  for (const args of [['stats'], ['df'], ['fsck'], ['user', 'list'], ['user', 'add', 'a'], ['rebuild']]) {
    const line = refusal(66, args, await mstore([...args, '--data', nowhere]));
    assert.match(line, /mstore init/);
  }
  assert.match(await store.refused(73, ['init']), /nothing was changed/);
  assert.match(await readFile(join(store.directory, 'mstore.toml'), 'utf8'), /messageBytes/);
});

test('MSTORE_DATA names the store, and --data goes before it, on either side of the command', async () => {
  await using store = await CliStore.make('ada@x');
  const env = { MSTORE_DATA: store.directory };
  assert.equal((await mstore(['stats', '--json'], { env })).code, 0);
  assert.equal((await mstore(['--data', store.directory, 'stats'], { env: { MSTORE_DATA: '/nonexistent' } })).code, 0);
});

test('config show tells every key with its value and origin', async () => {
  await using store = await CliStore.make();
  await writeFile(join(store.directory, 'mstore.toml'), '[limits]\nmessageBytes = "1M"\n');
  const shown: unknown = JSON.parse(await store.done(['config', 'show', '--json']));
  assert.ok(typeof shown === 'object' && shown !== null && 'settings' in shown && 'path' in shown);
  const { path, settings } = shown;
  assert.equal(path, join(store.directory, 'mstore.toml'));
  assert.ok(typeof settings === 'object' && settings !== null);
  const expected = {
    'limits.messageBytes': { value: 1_048_576, origin: 'file' },
    'heap.segmentBytes': { value: 134_217_728, origin: 'default' },
    'delivery.detail': { value: 'inbox', origin: 'default' },
  };
  assert.deepEqual({ ...settings, ...expected }, settings);
  const text = await store.done(['config', 'show']);
  assert.match(text, /^delivery\.detail +"inbox" /m);
  assert.match(text, /^pop3\.plaintextAnywhere +false /m);
  assert.match(text, /^listen\.lmtp +\["127\.0\.0\.1:2424","unix:run\/lmtp\.sock"\] /m);
});

test('an unknown key or a wrong value in the configuration is named, with what was expected: 78', async () => {
  await using store = await CliStore.make();
  const file = join(store.directory, 'mstore.toml');
  const wrong: [string, RegExp][] = [
    ['[limits]\nmessageByte = 1\n', /unknown key limits\.messageByte/],
    ['[limit]\n', /unknown key limit/],
    ['[limits]\nmessageBytes = "many"\n', /limits\.messageBytes must be 1024 to/],
    ['[retention]\nexpunged = -1\n', /retention\.expunged must be a whole number of days/],
    ['[delivery]\ndetail = "else"\n', /delivery\.detail must be "inbox" or "create"/],
    ['[login]\ndefaultDomain = "no domain"\n', /login\.defaultDomain must be a domain/],
    ['heap = 3\n', /heap must be a table/],
    ['[limits\n', /line 1/],
  ];
  for (const [text, expected] of wrong) {
    await writeFile(file, text);
    for (const args of [['config', 'show'], ['stats']]) assert.match(await store.refused(78, args), expected);
  }
  await rm(file);
});

test('stats, df and dump explain a store', async () => {
  await using store = await CliStore.make('ada@x', 'grace@x');
  const big = Buffer.alloc(9_000, 'all work and no play\n');
  await store.done(['deliver', '-d', 'ada@x', '-d', 'grace@x'], {
    input: Buffer.concat([Buffer.from('Subject: x\n\n'), big]),
  });
  assert.match(await store.done(['stats']), /^messages in mailboxes +2 /m);
  const space: unknown = JSON.parse(await store.done(['df', '--json']));
  assert.ok(
    typeof space === 'object' && space !== null && 'saved' in space && 'logical' in space && 'traceLines' in space,
  );
  assert.ok(Number(space.logical) > 18_000);
  assert.match(await store.done(['df']), /saved: same message/);
  // As a file that compaction took away between two looks.
  await symlink(join(store.directory, 'nowhere'), join(store.directory, 'heap/gone'));
  assert.deepEqual(JSON.parse(await store.done(['df', '--json'])), space);
  await rm(join(store.directory, 'heap/gone'));
  assert.match(await store.done(['dump', 'account', 'ADA@X']), /INBOX/);
  assert.match(await store.done(['dump', 'mailbox', '1']), /UIDNEXT +2/);
  const message = await store.done(['dump', 'message', '1']);
  assert.match(message, /ada@x, INBOX, UID 1\n {2}grace@x, INBOX, UID 1/);
  const part = /part ([0-9a-f]{64})/.exec(message)?.[1] ?? '';
  assert.match(await store.done(['dump', 'part', part]), /1 message names it: 1/);
  const lsn = Number(/LSN (\d+)/.exec(message)?.[1]);
  assert.match(await store.done(['dump', String(lsn)]), /^MESSAGE at LSN/);
  assert.match(await store.done(['dump', String(lsn + 9)]), /lies 9 octets into this record[\s\S]*MESSAGE/);
  assert.match(await store.done(['dump', '1:0']), /header of segment 1/);
  await store.refused(1, ['dump', '999999999']);
  await store.refused(1, ['dump', 'message', '77']);
  await store.refused(67, ['dump', 'account', 'nobody@x']);
  await store.refused(2, ['dump', 'part', 'abc']);
});

test('rebuild makes a lost catalog again, and fsck names what is wrong until then', async () => {
  await using store = await CliStore.make('ada@x');
  await store.done(['deliver', '-d', 'ada@x'], { input: 'Subject: kept\n\nhere\n' });
  const before = await store.octets('ada@x');
  await rm(join(store.directory, 'catalog'), { recursive: true });
  const { code, stdout } = await store.run(['fsck']);
  assert.equal(code, 1);
  assert.match(stdout.toString(), /mstore rebuild/);
  await store.refused(72, ['stats']);
  assert.match(await store.done(['rebuild']), /1 message in mailboxes/);
  assert.deepEqual(await store.octets('ada@x'), before);
});

test('fsck exits with 1 and names the message whose octets were damaged; --quick reads none', async () => {
  await using store = await CliStore.make('ada@x');
  await store.done(['deliver', '-d', 'ada@x'], { input: 'Subject: damaged\n\nplain text of this message\n' });
  const path = join(store.directory, 'heap', '0000000000000001.seg');
  const good = await readFile(path);
  const bad = Buffer.from(good);
  const at = bad.indexOf('plain text of this');
  bad.write('PLAIN', at);
  await writeFile(path, bad);
  const { code, stdout, stderr } = await store.run(['fsck']);
  assert.equal(code, 1, stderr);
  assert.match(stdout.toString(), /\d+ findings?\.$/m);
  await writeFile(path, good);
  assert.match(await store.done(['fsck', '--quick']), /nothing is wrong/);
});

test('standard output that nobody reads any more ends a command quietly', async () => {
  await using store = await CliStore.make('ada@x');
  const child = start(['user', 'list', '--data', store.directory]);
  child.stdout?.destroy();
  let stderr = '';
  child.stderr?.on('data', (octets: Buffer) => {
    stderr += octets.toString();
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.deepEqual([code, stderr], [0, '']);
});

test('the demo makes its store once, and runs again on it', async () => {
  await using temp = await tempDirectory();
  await mkdir(join(temp.path, 'here'));
  const options = { cwd: join(temp.path, 'here') };
  const first = await mstore(['demo'], options);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout.toString(), /360 messages exported and compared[\s\S]*nothing is wrong[\s\S]*Next/);
  await appendFile(join(temp.path, 'here/var/demo/mstore.toml'), '\n');
  const second = await mstore(['demo', '--json'], options);
  assert.match(second.stdout.toString(), /"isNew":false,"compared":360,"ok":true/);
});

test('an account answers to its domain in its own letters and as xn--', async () => {
  await using store = await CliStore.make('ada@bücher.example', 'grace@xn--bcher-kva.example');
  await store.refused(1, ['user', 'add', 'ada@xn--bcher-kva.example']);
  await store.refused(1, ['user', 'add', 'Grace@BÜCHER.example']);
  const to = ['-d', 'ada@xn--bcher-kva.example', '-d', 'grace+Sent@bücher.example'];
  await store.done(['deliver', ...to], { input: 'Subject: a\n\nb\n' });
  for (const domain of ['bücher.example', 'xn--bcher-kva.example']) {
    assert.equal((await store.octets(`ada@${domain}`)).length, 1);
    assert.equal((await store.octets(`grace@${domain}`, 'Sent')).length, 1);
    await store.done(['import', 'eml', join(store.folder, 'one.eml'), '--user', `ada@${domain}`, '--mailbox', 'Old'], {
      input: await writeFile(join(store.folder, 'one.eml'), 'Subject: c\n\nd\n').then(() => ''),
    });
    assert.match(await store.done(['dump', 'account', `ada@${domain}`]), /Old/);
  }
  const lines = `ada@bücher.example ${anyHash} 1M\nnew@bücher.example ${anyHash}\nada@BÜCHER.example ${anyHash}\n`;
  assert.match(await store.done(['user', 'import', '-'], { input: lines }), /1 user added, 2 updated/);
  await store.done(['user', 'remove', 'new@xn--bcher-kva.example']);
});

test('an mbox import tells of lines that look like message starts but follow no empty line', async () => {
  await using store = await CliStore.make('ada@x');
  const line = 'From a@b Sat Jan  3 01:05:34 2015';
  const file = join(store.folder, 'box');
  await writeFile(file, `${line}\nA: b\n\nc\n${line}\nd\n>${line}\nFrom here\n\n${line}\nA: b\n\ne\n${line}\n`);
  const { stderr, stdout } = await store.run(['import', 'mbox', file, '--user', 'ada@x', '--json']);
  assert.match(stderr, /^mstore: 2 lines look like message starts but follow no empty line; they were kept as text$/m);
  const report: unknown = JSON.parse(stdout.toString());
  assert.ok(typeof report === 'object' && report !== null && 'imported' in report && 'fromLinesKept' in report);
  assert.deepEqual([report.imported, report.fromLinesKept], [2, 2]);
});

test('--version tells the release', async () => {
  const { code, stdout } = await mstore(['--version']);
  assert.equal(code, 0);
  assert.match(stdout.toString(), /^mstore \d+\.\d+\.\d+\n$/);
});
