/**
 * A service on a disk that fills up for real: a small file system of its own, where the machine lets us mount one. Mail is refused for
 * now, nothing that was answered is lost, and when there is room again mail goes on.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Peer } from '../support/peer.ts';
import { Service } from '../support/service.ts';
import { type TempDirectory, tempDirectory } from '../support/temp.ts';

const ann = 'ann@example.org';

/** ms that a mail server of this test waits. */
const answerMs = 10_000;

/** A small disk for the length of a scope; undefined, after marking the test as skipped, where none can be mounted. */
async function smallDisk(t: TestContext): Promise<TempDirectory | undefined> {
  const place = await tempDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', place.path], { stdio: 'ignore' });
  } catch {
    await place[Symbol.asyncDispose]();
    t.skip('no disk can be mounted here: this needs root');
    return undefined;
  }
  return {
    path: place.path,
    [Symbol.asyncDispose]: async () => {
      execFileSync('umount', ['-l', place.path], { stdio: 'ignore' });
      await place[Symbol.asyncDispose]();
    },
  };
}

const noise = randomBytes(300_000);

/** A message of 200 KiB that nothing makes smaller, and of which no two share a part. */
function message(number: number): Buffer {
  const body = noise
    .subarray(number, number + 150_000)
    .toString('base64')
    .replace(/.{76}/g, '$&\r\n');
  return Buffer.from(`Subject: ${number}\r\nContent-Transfer-Encoding: base64\r\n\r\n${body}\r\n`);
}

/** One delivery: the code of its answer, 0 when there was none in time. */
async function deliver(service: Service, number: number): Promise<number> {
  const peer = await Peer.connect(service.tcp('lmtp'), answerMs);
  try {
    await peer.write(`LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<${ann}>\r\nBDAT ${message(number).length} LAST\r\n`);
    void peer.write(message(number));
    void peer.write('QUIT\r\n');
    const heard = (await peer.rest()).toString();
    return Number(/(\d{3})[^\n]*\n(?:221[^\n]*\n)?$/.exec(heard)?.[1] ?? 0);
  } catch {
    return 0;
  } finally {
    peer.kill();
  }
}

test('a service whose disk fills up refuses mail for now, keeps what it has, and goes on when there is room', async (t) => {
  await using disk = await smallDisk(t);
  if (disk === undefined) return;
  await writeFile(join(disk.path, 'ballast'), Buffer.alloc(12 * 2 ** 20));
  const before = process.env.TMPDIR;
  process.env.TMPDIR = disk.path;
  await using service = await Service.start({ users: [ann] }).finally(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  const told: number[] = [];
  const codes = new Set<number>();
  let refusals = 0;
  for (let number = 0; refusals < 5; number += 1) {
    assert.ok(number < 500, 'the disk never became full');
    const code = await deliver(service, number);
    codes.add(code);
    if (code === 250) told.push(number);
    else refusals += 1;
  }
  assert.equal((await service.maildrop(ann)).length >= told.length, true, 'what is there can be read meanwhile');
  assert.deepEqual([...codes].sort(), [250, 452]);
  await rm(join(disk.path, 'ballast'));
  const deadline = performance.now() + 60_000;
  for (let number = 1_000; ; number += 1) {
    if ((await deliver(service, number)) === 250) {
      told.push(number);
      break;
    }
    assert.ok(performance.now() < deadline, 'mail does not go on');
    await sleep(100);
  }
  const subjects = (await service.maildrop(ann)).map((octets) => Number(/^Subject: (\d+)/m.exec(String(octets))?.[1]));
  for (const number of told) assert.ok(subjects.includes(number), `message ${number} is lost`);
  assert.equal(new Set(subjects).size, subjects.length, 'no message is there twice');
  t.diagnostic(`${told.length} messages, refused with ${[...codes].filter((code) => code !== 250).join()}`);
});
