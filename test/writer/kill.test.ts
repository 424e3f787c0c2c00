/** kill -9 of a writer under load, again and again on one store: every message that was answered is there, octet for octet. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { brandNumber, createStore, inbox, isStoreError, type MailboxId, Store, UidSet } from '@mstore/store';
import { WriterClient } from '@mstore/store/internal/writer/client';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean } from '../support/temp-store.ts';
import { shaOf } from '../support/traffic.ts';

const storm = fileURLToPath(new URL('./storm.js', import.meta.url));

interface Writing {
  readonly child: ChildProcess;
  /** `mailbox uid sha` of what was answered. */
  readonly told: string[];
  readonly ready: Promise<void>;
  readonly ended: Promise<unknown>;
}

function startWriter(directory: string, seed: number): Writing {
  const child = spawn(process.execPath, [storm, directory, String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const told: string[] = [];
  assert.ok(child.stdout !== null);
  const lines = createInterface(child.stdout);
  const ready = new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line === 'ready') resolve();
      // A line that the kill cut short is no answer.
      else if (/^\d+ \d+ [0-9a-f]{64}$/.test(line)) told.push(line);
    });
    child.once('exit', (code, signal) => reject(new Error(`the writer ended: ${code ?? signal}`)));
  });
  return { child, told, ready, ended: Promise.all([once(child, 'exit'), once(lines, 'close')]) };
}

/** Appends through the socket until the writer is gone; returns how it went away. */
async function appendUntilGone(
  client: WriterClient,
  mailbox: MailboxId,
  random: Random,
  told: string[],
): Promise<unknown> {
  const source = new MessageSource(random);
  for (;;) {
    try {
      const octets = source.next();
      const message = await client.take(octets);
      const [placed] = await client.append(mailbox, [{ message, flags: 0, keywords: [] }]);
      if (placed !== undefined) told.push(`${placed.mailbox} ${placed.uid} ${shaOf(octets)}`);
    } catch (error) {
      return error;
    }
  }
}

async function assertThere(store: Store, told: readonly string[]): Promise<void> {
  const catalog = store.catalog();
  for (const line of told) {
    const [mailbox, uid, sha] = line.split(' ');
    const id = brandNumber<MailboxId>(Number(mailbox));
    const [entry] = catalog.entries(id, UidSet.of([Number(uid)]));
    assert.ok(entry !== undefined, `UID ${uid} of mailbox ${mailbox} is gone`);
    assert.equal(shaOf(await (await store.open(entry)).whole()), sha);
  }
}

test('a writer killed under load loses nothing that it answered', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using temp = await tempDirectory();
  await createStore(temp.path);
  const made = await Store.open(temp.path);
  const { account } = await made.createAccount('client@example.org');
  const mailbox = made.catalog().mailboxNamed(account, inbox)?.id;
  await made.close();
  assert.ok(mailbox !== undefined);
  const told: string[] = [];
  for (let round = 0; round < counts(10, 100); round++) {
    const writing = startWriter(temp.path, round);
    await writing.ready;
    const client = await WriterClient.connect(`${temp.path}/run/writer.sock`);
    const own: string[] = [];
    const gone = appendUntilGone(client, mailbox, random.fork(), own);
    const target = 1 + random.int(150);
    while (writing.told.length < target) await new Promise((resolve) => setTimeout(resolve, random.int(5)));
    writing.child.kill('SIGKILL');
    await writing.ended;
    const error = await gone;
    assert.ok(isStoreError(error, 'noWriter'), String(error));
    await client.close();
    const now = [...writing.told, ...own];
    told.push(...now);
    const store = await Store.open(temp.path);
    await assertThere(store, round % 10 === 9 ? told : now);
    await assertClean(store, { content: round % 5 === 4 });
    await store.close();
  }
  const last = await Store.open(temp.path);
  await assertThere(last, told);
  await assertClean(last);
  await last.close();
  t.diagnostic(`${told.length} messages answered over ${counts(10, 100)} kills`);
});
