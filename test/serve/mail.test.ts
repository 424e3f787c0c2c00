/** The service with its real daemons: mail in, mail out, and neither lost when they are killed. */
import assert from 'node:assert/strict';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Pop3Client } from '../support/pop3-client.ts';
import { commonPassword, Service } from '../support/service.ts';
import { type Ready, readReady, until } from './service.ts';

const ann = 'ann@example.org';

function message(n: number): Buffer {
  return Buffer.from(`From: a@example.net\r\nSubject: ${n}\r\n\r\nmessage ${n}\r\n`);
}

test('mail goes in by LMTP and comes out by POP3, also after each process was killed', async () => {
  await using service = await Service.start({ users: [ann] });
  const deliver = async (n: number): Promise<void> => {
    const [reply] = await service.deliver({ recipients: [ann], message: message(n) });
    assert.equal(reply?.code, 250, JSON.stringify(reply));
  };
  const replaced = (isDone: (ready: Ready) => boolean): Promise<Ready> =>
    until('the next process', () => {
      const ready = readReady(service.directory);
      return ready !== undefined && isDone(ready) ? ready : undefined;
    });
  await deliver(1);
  const first = await replaced(() => true);
  process.kill(first.pids.writer, 'SIGKILL');
  await replaced(({ pids }) => pids.writer !== first.pids.writer);
  await deliver(2);
  process.kill(first.pids.pop3[0] ?? 0, 'SIGKILL');
  await replaced(({ pids }) => pids.pop3[0] !== first.pids.pop3[0]);
  await deliver(3);
  const bodies = (await service.maildrop(ann)).map((octets) => /message \d/.exec(octets.toString())?.[0]);
  assert.deepEqual(bodies, ['message 1', 'message 2', 'message 3']);
});

test('a writer that a cut catalog kills is followed by one that makes the catalog again', async () => {
  const count = 100;
  await using service = await Service.start({ users: [ann] });
  for (let n = 0; n < count; n += 1) await service.deliver({ recipients: [ann], message: message(n) });
  const before = await service.maildrop(ann);
  await service.stop();
  const catalog = join(
    service.directory,
    'catalog',
    (await readFile(join(service.directory, 'catalog/CURRENT'), 'utf8')).trim(),
  );
  // The pages that say what is where stay, and what is there goes.
  await truncate(join(catalog, 'data.mdb'), 4 * 4_096);
  await service.start();
  assert.deepEqual(await service.maildrop(ann), before);
  assert.equal(before.length, count);
  assert.match(service.log, /"signal":"SIGBUS"/);
});

test('a process that finds a wrong configuration says so, where doctor and scripts look, and runs when it is mended', async () => {
  await using service = await Service.start({ users: [ann] });
  const file = join(service.directory, 'mstore.toml');
  const before = await readFile(file, 'utf8');
  const first = await until('ready.json', () => readReady(service.directory));
  await writeFile(file, `${before}\n[nonsense]\n`);
  process.kill(first.pids.writer, 'SIGKILL');
  process.kill(first.pids.pop3[0] ?? 0, 'SIGKILL');
  for (const child of ['writer', 'pop3-1']) {
    await until(`${child} says why`, () => {
      const { down = {} } = readReady(service.directory) ?? {};
      return /^exit code 78: .*mstore\.toml: .*nonsense/.test(down[child] ?? '');
    });
  }
  assert.ok(
    service.log.split('\n').every((line) => line === '' || line.startsWith('{')),
    'the log is lines of JSON',
  );
  await writeFile(file, before);
  await until('all run', () => {
    const { down } = readReady(service.directory) ?? {};
    return down !== undefined && Object.keys(down).length === 0;
  });
});

test('who shows a POP3 login, and kick ends it', async () => {
  await using service = await Service.start({ users: [ann] });
  await service.deliver({ recipients: [ann], message: message(1) });
  const first = await Pop3Client.login(service.tcp('pop3'), ann, commonPassword);
  const who = await service.mstore(['who']);
  assert.match(who.stdout, /^pop3 +ann@example\.org +127\.0\.0\.1:\d+ /m);
  const kicked = await service.mstore(['kick', ann]);
  assert.deepEqual([kicked.code, kicked.stdout], [0, '1 session ended\n']);
  await until('no session', async () => (await service.mstore(['who'])).stdout === 'no sessions\n');
  first.wire.close();
  assert.equal((await service.maildrop(ann)).length, 1);
});
