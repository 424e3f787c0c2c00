import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { limits } from './limits.ts';
import { LogWriter } from './log-writer.ts';

test('lines are written in order, gathered up to a size or at once', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mstore-log-'));
  const path = join(folder, 'log');
  const fd = openSync(path, 'w');
  t.after(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  const gathering = new LogWriter(fd, 10);
  gathering.write('one\n');
  assert.equal(readFileSync(path, 'latin1'), '');
  gathering.write('and two\n');
  assert.equal(readFileSync(path, 'latin1'), 'one\nand two\n');
  gathering.write('three\n');
  gathering.flushSync();
  new LogWriter(fd, 0).write('four\n');
  assert.equal(readFileSync(path, 'latin1'), 'one\nand two\nthree\nfour\n');
});

test('lines for a full disk are lost, and nothing is thrown', () => {
  const fd = openSync('/dev/full', 'w');
  const writer = new LogWriter(fd, 0);
  for (let n = 0; n < 100; n++) writer.write('a line\n');
  writer.flushSync();
  closeSync(fd);
});

test('of what a reader leaves in its pipe a bounded part is kept, and comes whole when it reads again', async () => {
  // The writer's end of such a pipe does not block: a socket pair, as Node makes for its children.
  const moduleUrl = new URL('./log-writer.js', import.meta.url).href;
  const script = `
    const { LogWriter } = await import('${moduleUrl}');
    await new Promise((resolve) => process.stdout.write('', resolve));
    const writer = new LogWriter(1, 0);
    for (let n = 0; n < 40_000; n++) writer.write(String(n).padStart(99) + '\\n');
    process.stderr.write('written');
    setInterval(() => undefined, 1_000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  await once(child.stderr, 'data');
  let text = '';
  child.stdout.on('data', (octets: Buffer) => {
    text += octets.toString();
  });
  while (text.length < limits.logUnwrittenBytes - 200) await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');
  const numbers = text.split('\n').slice(0, -1).map(Number);
  assert.deepEqual(
    numbers,
    Array.from(numbers, (_, n) => n),
  );
  assert.ok(numbers.length < 40_000);
});
