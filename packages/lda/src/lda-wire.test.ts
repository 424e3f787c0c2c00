import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPeerError } from '@mstore/net';
import { WireReader } from './lda-reader.ts';
import { decodeAnswer, encodeAnswer, encodeOpening, encodePieceHead, endMarker, WireError } from './lda-wire.ts';
import { limits } from './limits.ts';

/** A source that gives octets in pieces of so many. */
function reader(octets: Buffer, pieceBytes: number): WireReader {
  let at = 0;
  return new WireReader({
    read: async () => {
      const piece = octets.subarray(at, at + pieceBytes);
      at += piece.length;
      return piece.length === 0 ? undefined : piece;
    },
  });
}

async function messageOf(from: WireReader): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of from.message()) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

const piece = (text: string): Buffer => Buffer.concat([encodePieceHead(text.length), Buffer.from(text)]);

test('arguments and message come out as they went in, however the octets are cut', async () => {
  const args = ['--data', 'x', '', '-a', 'ünï@x.example', 'a b\n'];
  const octets = Buffer.concat([encodeOpening(args), piece('Subject: a\n'), piece('\nb'), endMarker]);
  for (const bytes of [1, 2, 7, octets.length]) {
    const from = reader(octets, bytes);
    assert.deepEqual(await from.opening(), args);
    assert.equal((await messageOf(from)).toString(), 'Subject: a\n\nb');
  }
  assert.deepEqual(await reader(encodeOpening([]), 100).opening(), []);
  assert.equal(await reader(Buffer.alloc(0), 1).opening(), undefined);
});

test('without its end marker a message is not whole', async () => {
  const whole = Buffer.concat([encodeOpening(['a']), piece('Subject: a\n'), endMarker]);
  for (let bytes = 1; bytes < whole.length; bytes++) {
    const from = reader(whole.subarray(0, bytes), 1_000);
    const reading = from.opening().then(() => messageOf(from));
    await assert.rejects(reading, (error) => isPeerError(error, 'gone'), String(bytes));
  }
});

test('another version, and lengths beyond the bounds, are refused before memory is taken', async () => {
  const head = (type: string, bytes: number): Buffer => {
    const octets = encodePieceHead(bytes);
    octets.write(type, 0, 'latin1');
    return octets;
  };
  const opening = encodeOpening(['a']);
  const greeting = opening.subarray(0, 13);
  const wrong = [
    Buffer.from('mstore-lda 2\nxxxx'),
    Buffer.from('GET / HTTP/1.1\r\n'),
    Buffer.concat([greeting, head('A', limits.argumentBytes + 1)]),
    Buffer.concat([greeting, head('A', 0xffff_ffff)]),
    Buffer.concat([greeting, head('D', 1)]),
    Buffer.concat([greeting, head('A', 2), Buffer.from('ab')]),
    Buffer.concat([opening, head('D', limits.pieceBytes + 1)]),
    Buffer.concat([opening, head('D', 0)]),
    Buffer.concat([opening, head('E', 1), Buffer.from('x')]),
    Buffer.concat([opening, head('A', 1), Buffer.from('\0')]),
  ];
  for (const octets of wrong) {
    const from = reader(octets, 1_000);
    await assert.rejects(
      from.opening().then(() => messageOf(from)),
      WireError,
      octets.toString('latin1'),
    );
  }
  const most = ['a'.repeat(limits.argumentBytes - 1)];
  assert.deepEqual(await reader(encodeOpening(most), 65_536).opening(), most);
  assert.throws(() => encodeOpening([`${most[0]}a`]), WireError);
});

test('an answer is one line, whatever it says', () => {
  const lines: [string, string][] = [
    ['no such user', '67 no such user\n'],
    ['a\r\nb\0c\u2028d', '67 a b c d\n'],
    ['', '67 \n'],
  ];
  for (const [text, line] of lines) assert.equal(encodeAnswer({ code: 67, text }).toString(), line);
  assert.equal(encodeAnswer({ code: 67, text: 'x'.repeat(5_000) }).length, 3 + limits.answerBytes + 1);
  assert.deepEqual(decodeAnswer('67 no such user'), { code: 67, text: 'no such user' });
  for (const line of ['', '67', '1 x', 'x 67', '067 x', '0x43 y', '-1 x']) assert.equal(decodeAnswer(line), undefined);
});
