import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { lockFile, lockHolder, shareFile } from './file-lock.ts';

function lockPath(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'mstore-lock-'));
  context.after(() => rmSync(directory, { recursive: true }));
  return join(directory, 'writer.lock');
}

const moduleUrl = new URL('./file-lock.js', import.meta.url).href;

test('one holder at a time, and the file names it', (context) => {
  const path = lockPath(context);
  assert.equal(lockHolder(path), undefined);
  const lock = lockFile(path);
  assert.ok(lock !== undefined);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(lockHolder(path), process.pid);
  assert.equal(lockFile(path), undefined);
  lock.release();
  lock.release();
  const again = lockFile(path);
  assert.ok(again !== undefined);
  again.release();
});

test('a lock is shared by several, or held alone, and sharing it makes no file', (context) => {
  const path = lockPath(context);
  assert.throws(() => shareFile(path), { code: 'ENOENT' });
  lockFile(path)?.release();
  const shared = [shareFile(path), shareFile(path)];
  for (const lock of shared) {
    assert.ok(lock !== undefined);
    assert.equal(lockFile(path), undefined);
    lock.release();
  }
  const alone = lockFile(path);
  assert.ok(alone !== undefined);
  assert.equal(shareFile(path), undefined);
  alone.release();
});

test('another process is kept out, and gets the lock once it is released', (context) => {
  const path = lockPath(context);
  const script = `const { lockFile } = await import('${moduleUrl}'); console.log(lockFile(process.argv[1]) !== undefined)`;
  const tryElsewhere = () =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script, path], { encoding: 'utf8' }).stdout.trim();
  const lock = lockFile(path);
  assert.equal(tryElsewhere(), 'false');
  lock?.release();
  assert.equal(tryElsewhere(), 'true');
});

test('a child does not inherit the lock', async (context) => {
  const path = lockPath(context);
  const lock = lockFile(path);
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  await once(child, 'spawn');
  lock?.release();
  const again = lockFile(path);
  assert.ok(again !== undefined);
  again.release();
  child.stdin.end();
  await once(child, 'exit');
});

test('a holder that is killed leaves the lock free', async (context) => {
  const path = lockPath(context);
  const script = `const { lockFile } = await import('${moduleUrl}'); lockFile(process.argv[1]); console.log('held'); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  assert.equal(lockFile(path), undefined);
  assert.equal(lockHolder(path), child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = lockFile(path);
  assert.ok(lock !== undefined);
  lock.release();
});

test('a file that cannot be written is named', () => {
  assert.throws(() => lockFile('/dev/full'), { code: 'ENOSPC', path: '/dev/full' });
});
