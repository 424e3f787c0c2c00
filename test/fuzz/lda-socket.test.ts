/** Random and mutated octets on lda.sock: the server answers or ends, keeps serving, and its store stays sound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeOpening, encodePieceHead, endMarker } from '@mstore/lda/internal/lda-wire';
import { type Caller, LdaService } from '../lda/service.ts';
import { counts } from '../support/long.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';

const words = [
  '-d',
  '-a',
  '-f',
  '-m',
  '--',
  '--data',
  '',
  'ada@x.example',
  'ada+x@x.example',
  'bob@x.example',
  '<>',
  'é\n',
];

function randomOctets(random: Random, bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, () => random.int(256)));
}

/** A dialogue that may be right. */
function dialogue(random: Random): Buffer {
  const args = Array.from({ length: random.int(6) }, () => words[random.int(words.length)] ?? '');
  const pieces = Array.from({ length: random.int(4) }, () => {
    const octets = randomOctets(random, 1 + random.int(2_000));
    return Buffer.concat([encodePieceHead(octets.length), octets]);
  });
  const opening = encodeOpening(random.int(3) === 0 ? args : ['-f', 'me@y.example', 'ada@x.example']);
  return Buffer.concat([opening, ...pieces, endMarker]);
}

/** Some octets changed, left out, or put in. */
function mutated(random: Random, octets: Buffer): Buffer {
  let out = octets;
  for (let times = random.int(4); times > 0; times--) {
    const at = random.int(out.length + 1);
    const rest = at + random.int(8);
    out = Buffer.concat([out.subarray(0, at), randomOctets(random, random.int(8)), out.subarray(rest)]);
  }
  return out;
}

/** Sends octets in pieces, and ends in one of the ways a peer can. */
async function send(random: Random, caller: Caller, octets: Buffer): Promise<string> {
  for (let at = 0; at < octets.length; ) {
    const bytes = 1 + random.int(octets.length);
    caller.socket.write(octets.subarray(at, at + bytes));
    at += bytes;
    if (random.int(3) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  if (random.int(4) === 0) caller.socket.destroy();
  else caller.socket.end();
  return caller.heard;
}

test('no octets on lda.sock stop the server, and every answer is one of five codes and a line', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using service = await LdaService.start({ stallTimeoutMs: 2_000, idleTimeoutMs: 2_000 });
  let delivered = 0;
  const rounds = counts(60, 2_000);
  const atOnce = 20;
  for (let round = 0; round < rounds; round++) {
    const heard = await Promise.all(
      Array.from({ length: atOnce }, async () => {
        const octets =
          random.int(5) === 0 ? randomOctets(random, random.int(3_000)) : mutated(random, dialogue(random));
        return send(random.fork(), await service.caller(), octets);
      }),
    );
    for (const text of heard) {
      assert.match(text, /^(?:(?:0|65|67|75|77) [^\n]{0,900}\n)?$/);
      if (text.startsWith('0 ')) delivered += 1;
    }
  }
  assert.ok(
    service.log.every(({ level }) => level !== 'error'),
    JSON.stringify(service.log.find((line) => line.level === 'error')),
  );
  assert.equal(await (await service.caller()).deliver('Subject: after\n\n', 'ada@x.example'), '0 \n');
  await service.temp.store.settle();
  // Who left before the answer may have been served.
  assert.ok(service.messages > delivered, `${service.messages} messages, ${delivered} answered`);
  t.diagnostic(`${rounds * atOnce} dialogues, ${delivered} deliveries answered, ${service.messages} messages`);
});

test('lengths that are not true, and openings without end, cost no memory', async () => {
  await using service = await LdaService.start({ connectionsMax: 1_000, deliveriesMax: 50, stallTimeoutMs: 60_000 });
  const head = encodePieceHead(1_048_576);
  const callers = await Promise.all(Array.from({ length: 400 }, () => service.caller()));
  const before = process.memoryUsage().rss;
  for (const [at, caller] of callers.entries()) {
    if (at % 2 === 0)
      caller.socket.write(Buffer.concat([encodeOpening(['ada@x.example']), head, Buffer.alloc(20_000)]));
    else caller.socket.write(encodeOpening(['x'.repeat(1_000_000)]).subarray(0, 100_000));
  }
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(process.memoryUsage().rss - before < 200_000_000);
  for (const caller of callers) caller.socket.destroy();
  await Promise.all(callers.map(({ heard }) => heard));
  assert.equal(await (await service.caller()).deliver('Subject: after\n\n', 'ada@x.example'), '0 \n');
});
