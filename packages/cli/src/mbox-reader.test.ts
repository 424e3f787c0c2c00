import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MboxReader, NotAnMbox } from './mbox-reader.ts';
import { Quoter } from './mboxrd.ts';

const line = 'From a@b Sat Jan  3 01:05:34 2015';

/** Reads `text` cut into pieces of `bytes` octets. */
async function read(text: string, bytes: number): Promise<string[]> {
  const octets = Buffer.from(text, 'latin1');
  let at = 0;
  const reader = new MboxReader(async () => {
    const chunk = octets.subarray(at, at + bytes);
    at += bytes;
    return chunk.length === 0 ? undefined : chunk;
  });
  const messages: string[] = [];
  for await (const { octets: got } of reader.messages()) {
    const pieces: Buffer[] = [];
    if (Buffer.isBuffer(got)) pieces.push(got);
    else for await (const piece of got) pieces.push(piece);
    messages.push(Buffer.concat(pieces).toString('latin1'));
  }
  assert.equal(reader.position, octets.length);
  return messages;
}

const cases: [string, string, string[]][] = [
  ['an empty file', '', []],
  ['empty lines only', '\n\r\n\n', []],
  ['one message', `${line}\nA: b\n\nc\n\n`, ['A: b\n\nc\n']],
  ['no empty line at the end', `${line}\nA: b\n\nc\n`, ['A: b\n\nc\n']],
  ['no line end at the end', `${line}\nA: b\n\nc`, ['A: b\n\nc']],
  ['a From_ line alone', line, []],
  ['messages without octets', `${line}\n\n${line}\n\n`, ['', '']],
  ['empty lines at the end of a message', `${line}\nA: b\n\n\n\n${line}\n\n\n`, ['A: b\n\n\n', '\n']],
  [
    'text that begins with From',
    `${line}\nA: b\n\nFrom us\n\nFrom you and me\n\n`,
    ['A: b\n\nFrom us\n\nFrom you and me\n'],
  ],
  ['a From_ line without empty line before', `${line}\nA: b\n\nc\n${line}\n\n`, [`A: b\n\nc\n${line}\n`]],
  ['quoted lines', `${line}\n>From a\n>>From b\n> From c\nx>From d\n\n`, ['From a\n>From b\n> From c\nx>From d\n']],
  ['CRLF', `${line}\r\nA: b\r\n\r\n>From c\r\n\r\n${line}\r\nd\r\n\r\n`, ['A: b\r\n\r\nFrom c\r\n', 'd\r\n']],
];

for (const [what, text, expected] of cases) {
  test(`an mbox is read however it is cut: ${what}`, async () => {
    const wanted = what === 'a From_ line alone' ? [[], ['']] : [expected];
    for (const bytes of [1, 2, 3, 5, 7, 11, 4_096]) {
      const got = await read(text, bytes);
      assert.ok(
        wanted.some((one) => JSON.stringify(one) === JSON.stringify(got)),
        `${bytes}: ${JSON.stringify(got)}`,
      );
    }
  });
}

test('a large message flows, and comes out the same however it is cut', async () => {
  const body = `${'>>From there\n\nFrom here\n'.repeat(60_000)}${'>'.repeat(3_000)}From far\n`;
  const expected = body.replace(/^>(>*From )/gm, '$1');
  for (const bytes of [1_013, 65_536, 300_007]) {
    const got = await read(`${line}\n${body}\n${line}\nA: b\n\n`, bytes);
    assert.ok(got[0] === expected, `pieces of ${bytes}`);
    assert.deepEqual(got.slice(1), ['A: b\n']);
  }
});

test('a flow that is left before its end does not disturb the next message', async () => {
  const octets = Buffer.from(`${line}\n${'x'.repeat(3_000_000)}\n\n${line}\nA: b\n\n`);
  let at = 0;
  const reader = new MboxReader(async () => {
    const chunk = octets.subarray(at, at + 100_000);
    at += 100_000;
    return chunk.length === 0 ? undefined : chunk;
  });
  const messages = reader.messages();
  const first = await messages.next();
  assert.ok(first.done !== true && !Buffer.isBuffer(first.value.octets));
  const second = await messages.next();
  assert.ok(second.done !== true && Buffer.isBuffer(second.value.octets));
  assert.equal(second.value.octets.toString(), 'A: b\n');
});

test('a file that does not begin with a From_ line is no mbox', async () => {
  await assert.rejects(read('Subject: x\n\ny\n', 4), NotAnMbox);
});

test('what the quoter wrote is read back, however it is cut', async () => {
  const text = `From a\n>From b\n${'>'.repeat(20)}From c\nx From d\n>Fro\nFrom`;
  for (const bytes of [1, 2, 3, 4, 5, 6, 9, 100]) {
    const quoter = new Quoter();
    const pieces: Buffer[] = [];
    for (let at = 0; at < text.length; at += bytes) pieces.push(quoter.push(Buffer.from(text.slice(at, at + bytes))));
    pieces.push(quoter.end());
    const quoted = Buffer.concat(pieces).toString();
    assert.equal(quoted, text.replace(/^(>*From )/gm, '>$1'));
    assert.deepEqual(await read(`${line}\n${quoted}\n\n`, bytes), [`${text}\n`]);
  }
});

test('From_ lines that follow no empty line are counted once, however the mbox is cut', async () => {
  const text = `${line}\nA: b\n\n${`c\r\n${line}\r\nFrom x\n`.repeat(50)}\n${line}\n${line}\n`;
  for (const filler of ['', `${'x'.repeat(997)}\n\n`.repeat(1_200)]) {
    const octets = Buffer.from(text + filler + text);
    for (const bytes of [7, 100, 4_096, octets.length]) {
      if (filler !== '' && bytes < 4_096) continue;
      let at = 0;
      const reader = new MboxReader(async () => {
        const chunk = octets.subarray(at, at + bytes);
        at += bytes;
        return chunk.length === 0 ? undefined : chunk;
      });
      for await (const { octets: got } of reader.messages()) {
        if (!Buffer.isBuffer(got)) for await (const _ of got);
      }
      assert.equal(reader.fromLinesKept, filler === '' ? 101 : 100, `pieces of ${bytes}`);
    }
  }
});
