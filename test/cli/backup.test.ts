/** Checkpoint, backup, verify and restore as an administrator uses them; and what docs/operations/backup.md prints, as it stands there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../support/daemons.ts';
import { readRepositoryFile, repositoryRoot } from '../support/repository.ts';
import { CliStore, mstore, refusal, start } from './command.ts';

async function deliver(store: CliStore, subject: string, user = 'ann@example.org'): Promise<void> {
  const line = `a line of ${subject} that makes this part one of its own\n`;
  const input = `Subject: ${subject}\nMessage-ID: <${subject}@example.org>\n\n${line.repeat(90)}`;
  await store.done(['deliver', '-d', user], { input });
}

async function json(store: CliStore, args: readonly string[]): Promise<Record<string, unknown>> {
  const value: unknown = JSON.parse(await store.done([...args, '--json']));
  assert.ok(typeof value === 'object' && value !== null);
  return { ...value };
}

test('a checkpoint is made when it is asked for or due, and a rebuild begins from it', async () => {
  await using store = await CliStore.make('ann@example.org');
  await deliver(store, 'one');
  assert.match(await store.done(['checkpoint', '--if-due']), /\.ckp: \d+ rows/);
  assert.match(await store.done(['checkpoint', '--if-due']), /No checkpoint is due/);
  await deliver(store, 'two');
  assert.match(await store.done(['checkpoint']), /the catalog at LSN \d+/);
  await rm(join(store.directory, 'catalog'), { recursive: true });
  assert.match(await store.done(['rebuild']), /is made of the checkpoint at LSN \d+ and [01] records?: 2 messages/);
  for (const name of await readdir(join(store.directory, 'checkpoint'))) {
    if (name.endsWith('.ckp')) await writeFile(join(store.directory, 'checkpoint', name), 'no checkpoint');
  }
  const { stderr, stdout, code } = await store.run(['rebuild']);
  assert.equal(code, 0);
  assert.match(stderr, /checkpoint .*\.ckp: /);
  assert.match(stdout.toString(), /is made of \d+ records: 2 messages/);
  assert.match(await store.done(['rebuild', '--full']), /is made of \d+ records/);
});

test('a store that burnt down comes back with mail, users and configuration', async () => {
  await using store = await CliStore.make('ann@example.org', 'bob@example.org');
  await writeFile(join(store.directory, 'mstore.toml'), '[limits]\nmessageBytes = "1M"\n');
  await deliver(store, 'one');
  const folder = join(store.folder, 'backup');
  assert.match(await store.done(['backup', folder]), /Backup 1 in .* is complete: 1 segment/);
  await deliver(store, 'two');
  const second = await json(store, ['backup', folder]);
  assert.equal(second.number, 2);
  assert.ok(Number(second.writtenBytes) < Number(second.bytes));
  assert.match((await mstore(['backup', 'verify', folder])).stdout.toString(), /2 messages: nothing is wrong/);
  for (const name of ['', ...(await readdir(folder)), ...(await readdir(join(folder, 'files')).then(inFiles))]) {
    assert.equal((await stat(join(folder, name))).mode & 0o077, 0, `${name} is for its owner only: it holds passwords`);
  }
  const mail = await store.octets('ann@example.org');
  await rm(store.directory, { recursive: true });
  assert.match(await store.done(['restore', folder]), /2 messages/);
  assert.deepEqual(await store.octets('ann@example.org'), mail);
  assert.match(await store.done(['user', 'list']), /bob@example\.org/);
  assert.match(await store.done(['config', 'show']), /limits\.messageBytes +1048576 +file/);
  assert.equal((await json(store, ['stats'])).epoch, 2);
  await deliver(store, 'three');
  assert.match(await store.done(['dump', 'account', 'ann@example.org']), /UIDNEXT[\s\S]*INBOX +\d+ +3 +3 +1048580/);
  assert.match(await store.refused(73, ['restore', folder]), /holds a store/);
  refusal(66, [], await mstore(['stats', '--data', folder]));
  refusal(66, [], await mstore(['backup', 'verify', store.folder]));
  refusal(73, [], await mstore(['backup', store.directory, '--data', store.directory]));
  refusal(2, [], await mstore(['backup', '', '--data', store.directory]));
  refusal(2, [], await mstore(['restore', folder, '--data', store.directory, '--list']));
  assert.match(await store.done(['backup', folder]), /Backup 3/);
});

test('a restore writes over no users that are there, nor leaves an old log of theirs to be read into the ones it brings', async () => {
  await using store = await CliStore.make('ann@example.org');
  await deliver(store, 'one');
  const folder = join(store.folder, 'backup');
  await store.done(['backup', folder]);
  for (const name of ['heap', 'catalog']) await rm(join(store.directory, name), { recursive: true });
  const file = join(store.directory, 'directory.sqlite');
  assert.match(await store.refused(73, ['restore', folder]), /holds directory\.sqlite, .*move it away/);
  await rename(file, join(store.folder, 'newer.sqlite'));
  await rm(`${file}-shm`, { force: true });
  await writeFile(`${file}-wal`, 'of the users that were there');
  assert.match(await store.refused(73, ['restore', folder]), /holds directory\.sqlite-wal/);
  await rm(`${file}-wal`);
  assert.match(await store.refused(73, ['restore', folder]), /holds mstore\.toml/);
  await rm(join(store.directory, 'mstore.toml'));
  await store.done(['restore', folder]);
  assert.match(await store.done(['user', 'list']), /ann@example\.org/);
});

const inFiles = (names: readonly string[]): string[] => names.map((name) => `files/${name}`);

test('one user gets back what was deleted, while the store works on', async () => {
  await using store = await CliStore.make('ann@example.org', 'bob@example.org');
  for (const subject of ['one', 'two', 'three']) await deliver(store, subject);
  await deliver(store, 'theirs', 'bob@example.org');
  const folder = join(store.folder, 'backup');
  await store.done(['backup', folder]);
  const before = await store.octets('ann@example.org');
  await store.done(['user', 'remove', 'bob@example.org']);
  const args = ['restore', folder, '--user', 'ann@example.org'];
  assert.match(await store.done([...args, '--list']), /3 messages in the backup, .*; 0 are missing from the store\./);
  assert.match(
    await store.done([...args, '--message', 'two@example.org', '--into', 'Found', '--all']),
    /Found: 1 message, a new/,
  );
  assert.match(await store.done(args), /^0 messages restored; 3 messages still there\.$/m);
  const listed = await json(store, [...args, '--list', '--mailbox', 'INBOX']);
  assert.ok(Array.isArray(listed.messages) && listed.messages.length === 3);
  const [{ id }] = listed.messages;
  const report = await json(store, [...args, '--message', String(id), '--into', 'Also', '--all']);
  assert.deepEqual([report.restored, report.made], [1, ['Also']]);
  assert.deepEqual(await store.octets('ann@example.org', 'Also'), [before[0]]);
  assert.match(await store.refused(67, ['restore', folder, '--user', 'nobody@example.org']), /no account/);
  assert.match(await store.refused(67, ['restore', folder, '--user', 'bob@example.org']), /no user bob/);
  assert.match(await store.refused(66, [...args, '--mailbox', 'None']), /no mailbox None/);
  assert.match(await store.refused(2, [...args, '--message', 'two']), /Message-ID/);
  assert.match(await store.refused(66, [...args, '--message', 'four@example.org']), /no message four@example\.org/);
  assert.match(
    await store.refused(66, [...args, '--mailbox', 'Sent', '--message', String(id)]),
    /no message \d+ there/,
  );
});

test('a check of a backup that a signal ends leaves nothing in the scratch folder', async () => {
  await using store = await CliStore.make('ann@example.org');
  await deliver(store, 'one');
  const folder = join(store.folder, 'backup');
  await store.done(['backup', folder]);
  const scratch = join(store.folder, 'scratch');
  await mkdir(scratch);
  const child = start(['backup', 'verify', folder, '--scratch', scratch, '--max-rate', '1']);
  const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
  await until('the scratch folder to be in use', async () => (await readdir(scratch)).length > 0);
  child.kill('SIGTERM');
  assert.equal(await ended, 'SIGTERM');
  assert.deepEqual(await readdir(scratch), []);
});

test('a damaged backup is named by verify, and restored with what is left', async () => {
  await using store = await CliStore.make('ann@example.org');
  for (const subject of ['one', 'two']) await deliver(store, subject);
  const folder = join(store.folder, 'backup');
  await store.done(['backup', folder]);
  const path = join(folder, 'heap/0000000000000001.seg');
  const octets = await readFile(path);
  octets[octets.length - 2_000] = (octets[octets.length - 2_000] ?? 0) ^ 1;
  await writeFile(path, octets);
  for (const args of [[], ['--quick']]) {
    const { code, stdout } = await mstore(['backup', 'verify', folder, ...args]);
    assert.equal(code, 1);
    assert.match(stdout.toString(), /0000000000000001\.seg: octets 0 to \d+ are not those/);
  }
  const target = join(store.folder, 'restored');
  const { code, stderr } = await mstore(['restore', folder, '--data', target]);
  assert.equal(code, 1);
  assert.match(stderr, /are not those it was made with/);
  await rm(path);
  const mended = await store.run(['backup', folder]);
  assert.equal(mended.code, 0);
  assert.match(mended.stderr, /segment 1 of the backup was cut or gone, and was copied anew/);
  assert.match((await mstore(['backup', 'verify', folder])).stdout.toString(), /nothing is wrong/);
});

/** The commands in a section of the manual, with its folders moved below `root`. */
function commandsIn(section: string, root: string): string {
  const manual = readRepositoryFile('docs/operations/backup.md');
  const text = manual.split(`## ${section}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = text.split('\n').filter((line) => /^ {4}\S/.test(line));
  assert.ok(lines.length > 0, section);
  return lines.map((line) => line.trim().replace(/(?<=^|[\s:])\/(?=backup|drill|var)/g, `${root}/`)).join('\n');
}

async function shell(script: string, root: string): Promise<string> {
  const program = join(repositoryRoot, 'packages/cli/dist/main.js');
  await writeFile(join(root, 'mstore'), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
  await chmod(join(root, 'mstore'), 0o755);
  const env = { ...process.env, PATH: `${root}:${process.env.PATH ?? ''}`, MSTORE_DATA: '' };
  const child = spawn('sh', ['-ec', script], { env, cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (octets: Buffer) => {
      said += octets.toString();
    });
  }
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(code, 0, `${script}\n${said}`);
  return said;
}

test('the drill of the manual works as it is printed, and so does restoring a whole store', async () => {
  await using store = await CliStore.make('ann@example.org');
  const root = store.folder;
  await deliver(store, 'one');
  await deliver(store, 'two');
  const prepare = `mkdir -p ${root}/var/lib ${root}/backup ${root}/drill && cp -a ${store.directory} ${root}/var/lib/mstore`;
  const first = `mstore backup ${root}/backup/mail --data ${root}/var/lib/mstore`;
  const copies = commandsIn('Making backups', root)
    .split('\n')
    .filter((line) => line.startsWith('cp '))
    .join('\n');
  await shell(`${prepare}\n${first}\n${copies}\n${first}`, root);
  assert.match(await shell(commandsIn('Drills', root), root), /2 messages exported/);
  await shell(`mstore backup verify ${root}/backup/mail.monday`, root);
  const whole = commandsIn('Restoring a whole store', root)
    .split('\n')
    .filter((line) => !line.startsWith('systemctl') && !line.includes('--epoch-above'))
    .join('\n');
  assert.match(await shell(whole, root), /nothing is wrong/);
  const stats = await mstore(['stats', '--json', '--data', `${root}/var/lib/mstore`]);
  const found: unknown = JSON.parse(stats.stdout.toString());
  assert.ok(typeof found === 'object' && found !== null && 'epoch' in found);
  assert.equal(found.epoch, 2, 'the drill was not counted');
});
