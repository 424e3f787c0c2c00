import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Crew, openLog, systemClock } from '@mstore/net';
import { Keeper } from './keeper.ts';

/** Ready at once, and ends with code 3. */
const shortLived = `process.send({ type: 'ready', pid: process.pid, listening: {} }, () => process.exit(3));\n`;

test('a program that cannot even be started is tried again, as one that ended', { timeout: 20_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mstore-test-'));
  const file = join(folder, 'program.js');
  writeFileSync(file, shortLived);
  const lines: string[] = [];
  const log = openLog({ name: 'test', to: { write: (text: string) => void lines.push(text) } });
  // More than the system takes for one argument: spawn throws, as it does where there is no memory.
  const tooLong = 'x'.repeat(1_048_576);
  const program = { name: 'short', file, sockets: [], argsAfter: new Map([[3, [tooLong]]]) };
  let changes = 0;
  let tellAgain: () => void = () => undefined;
  const again = new Promise<void>((resolve) => {
    tellAgain = resolve;
  });
  const changed = (): void => {
    changes += 1;
    // Ready, ended, and three starts that failed.
    if (changes === 5) tellAgain();
  };
  const common = { program, args: [], sockets: new Map(), clock: systemClock, crew: new Crew(), log, changed };
  const keeper = new Keeper({ ...common, name: 'short' });
  await keeper.start();
  await again;
  assert.match(keeper.down ?? '', /E2BIG/);
  await keeper.stop(1_000);
  assert.ok(lines.some((line) => line.includes('E2BIG')));
  rmSync(folder, { recursive: true });
});
