/**
 * The socket of mstore-lda, spoken to by what is no trampoline, or a broken one: one answer with one of the five codes, and 0 only of
 * what is in the store.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Daemons } from '../support/daemons.ts';
import { liveBytes } from '../support/live-bytes.ts';
import { counts } from '../support/long.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { mutated, say } from './mutate.ts';

const user = 'ann@example.org';
const keptBytesMax = 32 * 2 ** 20;

function frame(type: string, octets: string): string {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeUInt32BE(octets.length, 1);
  return head.toString('latin1') + octets;
}

function words(...args: readonly string[]): string {
  return frame('A', args.map((word) => `${word}\0`).join(''));
}

const greeting = 'mstore-lda 1\n';
const header = frame('D', 'Subject: fuzz\nContent-Type: multipart/mixed; boundary=b\n\n');
const end = frame('E', '');

const dialogues: readonly (readonly string[])[] = [
  [
    greeting,
    words('-f', 'sender@example.net', '-d', user),
    header,
    frame('D', '--b\n\nbody\n'),
    frame('D', '--b--\n'),
    end,
  ],
  [greeting, words('--', user, 'nobody@example.org'), frame('D', 'From sender Mon Jan  1\n'), header, end],
  [greeting, words('-f', '<>', '-a', 'ann+detail@example.org'), header, frame('D', 'x'.repeat(70_000)), end],
];

test('trampolines with anything changed in them get one answer, and 0 only for what is stored', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const proper = (): Promise<string> =>
    say(daemons.address('lda'), (dialogues[0] ?? []).join(''), 'half-close', random);
  assert.match(await proper(), /^0 [^\n]*\n$/);
  const before = liveBytes();
  let known = await daemons.count(user);
  for (let round = 0; round < counts(250, 20_000); round += 1) {
    const dialogue = random.pick(dialogues);
    const text = mutated(dialogue, random.int(dialogue.length), random);
    const heard = await say(daemons.address('lda'), text, 'half-close', random);
    assert.match(heard, /^(?:(?:0|65|67|75|77) [^\0-\x1f]*\n)?$/);
    assert.ok(heard !== '' || text === '', `no answer to ${JSON.stringify(text)}`);
    const now = await daemons.count(user);
    assert.equal(now - known, heard.startsWith('0 ') ? 1 : 0, JSON.stringify(text));
    known = now;
  }
  for (let round = 0; round < counts(100, 5_000); round += 1) {
    await say(daemons.address('lda'), mutated(random.pick(dialogues), 0, random), 'reset', random);
  }
  assert.match(await proper(), /^0 [^\n]*\n$/);
  const kept = liveBytes() - before;
  assert.ok(kept < keptBytesMax, `${Math.round(kept / 1_024)} KiB stay behind`);
});
