/** A store of an earlier format on the command line: what each command says, and what `upgrade` does. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { bringGolden } from '../format/golden.ts';
import { tempDirectory } from '../support/temp.ts';
import { mstore } from './command.ts';

/** Commands that open a store, with arguments that one of today's format would take. */
const commands: readonly (readonly string[])[] = [
  ['fsck'],
  ['stats'],
  ['df'],
  ['rebuild'],
  ['dump', '4096'],
  ['user', 'list'],
  ['quota', 'anna'],
  ['export', 'eml', 'out', '--user', 'anna'],
  ['import', 'eml', '.', '--user', 'anna'],
  ['serve', '--listen', 'pop3=127.0.0.1:0'],
];

/** Of a service, a part does not start. */
const refusedWith = ([name]: readonly string[]): number => (name === 'serve' ? 69 : 78);

test('every command refuses a store of an earlier format, and names the way out', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  assert.equal((await mstore(['init', '--data', temp.path])).code, 0);
  for (const args of commands) {
    const { code, stderr } = await mstore([...args, '--data', temp.path], { cwd: temp.path });
    assert.equal(code, refusedWith(args), `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, /^mstore: .*earlier release.*mstore upgrade/m, args.join(' '));
  }
  const { code, stderr } = await mstore(['deliver', '-d', 'anna', '--data', temp.path], { input: 'Subject: a\n\nb\n' });
  assert.equal(code, 75);
  assert.match(stderr, /mstore upgrade/);
});

test('a store is looked at, upgraded, gone back to, and upgraded again', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  const run = (...args: string[]) => mstore([...args, '--data', temp.path]);
  const dry = await run('upgrade', '--dry-run');
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout.toString(), /from format 1 to 2/);
  const done = await run('upgrade');
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout.toString(), /has format 2 now.*--undo/s);
  assert.equal((await run('fsck')).code, 0);
  const undone = await run('upgrade', '--undo');
  assert.match(undone.stdout.toString(), /catalog\/1 is in use again/);
  assert.equal((await run('fsck')).code, 78);
  const json = JSON.parse((await run('upgrade', '--json')).stdout.toString());
  assert.deepEqual([json.from, json.to, json.done, json.previous, json.generation], [1, 2, true, 1, 3]);
  assert.match((await run('upgrade')).stdout.toString(), /format 2 already/);
});

test('every command refuses a store of a later format', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  assert.equal((await mstore(['init', '--data', temp.path])).code, 0);
  const path = `${temp.path}/heap/${'4'.padStart(16, '0')}.seg`;
  const octets = await readFile(path);
  octets.writeUInt16LE(3, 8);
  octets.writeUInt32LE(crc32(octets.subarray(0, 148)), 148);
  await writeFile(path, octets);
  for (const args of [...commands, ['upgrade'], ['upgrade', '--dry-run'], ['upgrade', '--undo']]) {
    const { code, stderr } = await mstore([...args, '--data', temp.path], { cwd: temp.path });
    assert.equal(code, refusedWith(args), `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, /^mstore: .*segment 4 has format 3.*later/m, args.join(' '));
  }
});

test('the demonstration upgrades its own store', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  const { code, stdout, stderr } = await mstore(['demo', '--data', temp.path]);
  assert.equal(code, 0, stderr);
  assert.match(stdout.toString(), /it has format 2 now.*nothing is wrong/s);
});
