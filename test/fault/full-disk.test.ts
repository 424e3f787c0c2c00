/**
 * A service on a disk that fills up for real: a small file system of its own, where the machine lets us mount one. Mail is refused for
 * now, nothing that was answered is lost, and when there is room again mail goes on.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, readFile, rm, statfs, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreReader, socketPath, UidSet, WriterLink } from '@mstore/store';
import { Peer } from '../support/peer.ts';
import { Pop3Client } from '../support/pop3-client.ts';
import { commonPassword, Service } from '../support/service.ts';
import { type TempDirectory, tempDirectory } from '../support/temp.ts';

const ann = 'ann@example.org';

/** ms that a mail server of this test waits. */
const answerMs = 10_000;

/** A small disk for the length of a scope; undefined, after marking the test as skipped, where none can be mounted. */
async function smallDisk(t: TestContext, size = '48m'): Promise<TempDirectory | undefined> {
  const place = await tempDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', place.path], { stdio: 'ignore' });
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

/** A service with its data on that disk. */
async function startOn(disk: TempDirectory, config: string): Promise<Service> {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = disk.path;
  try {
    return await Service.start({ users: [ann], config });
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}

/** Delivers until one is taken. */
async function untilDelivered(service: Service, first: number): Promise<number> {
  const deadline = performance.now() + 60_000;
  for (let number = first; ; number += 1) {
    if ((await deliver(service, number)) === 250) return number;
    assert.ok(performance.now() < deadline, `mail does not go on:\n${service.log}`);
    await sleep(100);
  }
}

async function subjectsOf(service: Service): Promise<number[]> {
  return (await service.maildrop(ann)).map((octets) => Number(/^Subject: (\d+)/m.exec(String(octets))?.[1]));
}

test('a service whose disk fills up refuses mail for now, keeps what it has, and goes on when there is room', async (t) => {
  await using disk = await smallDisk(t);
  if (disk === undefined) return;
  await writeFile(join(disk.path, 'ballast'), Buffer.alloc(12 * 2 ** 20));
  await using service = await startOn(disk, '');
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
  told.push(await untilDelivered(service, 1_000));
  const subjects = await subjectsOf(service);
  for (const number of told) assert.ok(subjects.includes(number), `message ${number} is lost`);
  assert.equal(new Set(subjects).size, subjects.length, 'no message is there twice');
  t.diagnostic(`${told.length} messages, refused with ${[...codes].filter((code) => code !== 250).join()}`);
});

test('on a disk that is full to the last octet, heap and catalog included, nothing answered is lost, and mail goes on', async (t) => {
  await using disk = await smallDisk(t);
  if (disk === undefined) return;
  const ballast = join(disk.path, 'ballast');
  await writeFile(ballast, Buffer.alloc(12 * 2 ** 20));
  await using service = await startOn(disk, '[space]\nnewMail = 0\nchanges = 0\nreserve = 0\n');
  const told: number[] = [];
  let number = 0;
  for (let refusals = 0; refusals < 10; number += 1) {
    assert.ok(number < 500, 'the disk never became full');
    const code = await deliver(service, number);
    // None while the writer is down: it cannot recover without a page for the catalog.
    assert.ok([250, 452, 451, 0].includes(code), `${code}`);
    if (code === 250) told.push(number);
    else {
      refusals += 1;
      // What is left is taken by somebody else, to the last block.
      execFileSync('sh', ['-c', `cat /dev/zero >> "${ballast}" 2>/dev/null || true`]);
    }
  }
  await rm(ballast);
  told.push(await untilDelivered(service, 1_000));
  const subjects = await subjectsOf(service);
  for (const one of told) assert.ok(subjects.includes(one), `message ${one} is lost`);
  assert.equal(new Set(subjects).size, subjects.length, 'no message is there twice');
  t.diagnostic(
    `${told.length} messages; the writer ended ${service.log.split('ended; starting it again').length - 1} times`,
  );
});

test('a catalog whose disk is full ends the writer with its own code, and it comes back when there is room', async (t) => {
  await using disk = await smallDisk(t, '1m');
  if (disk === undefined) return;
  await using service = await Service.prepare({
    users: [ann],
    config: '[space]\nnewMail = 0\nchanges = 0\nreserve = 0\n',
  });
  const catalog = join(service.directory, 'catalog');
  await cp(catalog, join(disk.path, 'catalog'), { recursive: true });
  await rm(catalog, { recursive: true });
  await symlink(join(disk.path, 'catalog'), catalog);
  await service.start();
  // What clients list of a message is in the catalog: here most of it.
  const wide = (number: number): Buffer => {
    const words = randomBytes(6_000).toString('hex').replace(/.{60}/g, '$&\r\n ');
    return Buffer.from(`X-Number: ${number}\r\nSubject: ${words}\r\n\r\n`);
  };
  const told: number[] = [];
  const send = async (number: number): Promise<boolean> => {
    const replies = await service.deliver({ message: wide(number), recipients: [ann] }).catch(() => []);
    if (replies[0]?.code === 250) told.push(number);
    return replies[0]?.code === 250;
  };
  const ended = (): boolean => service.log.includes('"code":75');
  const deadline = performance.now() + 60_000;
  for (let number = 0; !ended(); number += 1) {
    await Promise.race([send(number), sleep(2_000)]);
    assert.ok(performance.now() < deadline, `the writer went on:\n${service.log}`);
  }
  assert.match(service.log, /"exitCode":75/);
  execFileSync('mount', ['-o', 'remount,size=32m', disk.path]);
  for (let number = 10_000; !(await send(number)); number += 1) {
    assert.ok(performance.now() < deadline + 60_000, `mail does not go on:\n${service.log}`);
    await sleep(100);
  }
  const numbers = (await service.maildrop(ann)).map((octets) => Number(/^X-Number: (\d+)/m.exec(String(octets))?.[1]));
  for (const number of told) assert.ok(numbers.includes(number), `message ${number} is lost`);
  // It is written on: nothing was wrong with its device.
  assert.equal((await readFile(join(catalog, 'CURRENT'), 'latin1')).trim(), '1');
  t.diagnostic(
    `${told.length} messages; the writer ended ${service.log.split('ended; starting it again').length - 1} times`,
  );
});

test('below the second mark nothing is changed but what gives space back, out of the reserve, and doctor says so', async (t) => {
  await using disk = await smallDisk(t);
  if (disk === undefined) return;
  await using service = await startOn(disk, '[space]\nnewMail = "12M"\nchanges = "8M"\nreserve = "2M"\n');
  const reserve = join(service.directory, 'reserve');
  const doctor = async (): Promise<{ space: string; reserveBytes: number }> =>
    JSON.parse((await service.mstore(['doctor', '--json'])).stdout).disk;
  const eventually = async (what: string, isSo: () => Promise<boolean> | boolean): Promise<void> => {
    const deadline = performance.now() + 60_000;
    while (!(await isSo())) {
      assert.ok(performance.now() < deadline, `waited in vain: ${what}\n${service.log}`);
      await sleep(100);
    }
  };
  assert.equal(await deliver(service, 1), 250);
  const client = await Pop3Client.login(service.tcp('pop3'), ann, commonPassword);
  await client.command('DELE 1');
  await client.quit();
  client.wire.close();
  assert.equal(await deliver(service, 2), 250);
  await eventually('the reserve', () => service.log.includes('the reserve is whole'));
  const ballast = join(disk.path, 'ballast');
  const { bavail, bsize } = await statfs(disk.path);
  await writeFile(ballast, Buffer.alloc(bavail * bsize - 2 ** 20));
  await eventually('the level', () => service.log.includes('every change is refused'));
  assert.equal(await deliver(service, 3), 452);
  const other = await Pop3Client.login(service.tcp('pop3'), ann, commonPassword);
  await other.command('DELE 1');
  await assert.rejects(other.quit(), /SYS\/TEMP/);
  other.wire.close();
  const { stdout, code } = await service.mstore(['doctor']);
  assert.equal(code, 1);
  assert.match(stdout, /^!! {2}space: .*every change is refused/m);
  const writer = new WriterLink(socketPath(service.directory));
  const reading = await StoreReader.open(service.directory);
  let purged = 0;
  for (const { id } of reading.catalog().allMailboxes()) purged += await writer.purge(id, UidSet.range(1, 9));
  assert.equal(purged, 1);
  await reading.close();
  await writer.close();
  await eventually('the reserve is given away', () => !existsSync(reserve));
  assert.equal((await doctor()).space, 'readOnly');
  assert.equal(await deliver(service, 4), 452);
  await rm(ballast);
  await untilDelivered(service, 5);
  await eventually('the reserve again', async () => (await doctor()).reserveBytes === 2 * 2 ** 20);
  assert.equal((await service.mstore(['doctor'])).code, 0);
  assert.equal((await service.maildrop(ann)).length, 2);
});
