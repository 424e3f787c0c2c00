import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dropFromLine } from './from-line.ts';

test('a leading From_ line is left out however the octets are cut', async () => {
  const cases: [string, string][] = [
    ['From x\nA: b\n', 'A: b\n'],
    ['From x\r\nA: b', 'A: b'],
    ['From: x\n', 'From: x\n'],
    ['Fro', 'Fro'],
    ['', ''],
    ['From x', ''],
    ['From \nA: b\n', 'A: b\n'],
    ['From : x@example.org\nA: b\n', 'From : x@example.org\nA: b\n'],
    ['From \t : x@example.org\n', 'From \t : x@example.org\n'],
    [`From ${' '.repeat(2_000)}x\nA: b\n`, 'A: b\n'],
  ];
  for (const [text, expected] of cases) {
    for (const bytes of [1, 3, 100]) {
      async function* cut(): AsyncGenerator<Buffer> {
        for (let at = 0; at < text.length; at += bytes) yield Buffer.from(text.slice(at, at + bytes));
      }
      let got = '';
      for await (const piece of dropFromLine(cut())) got += piece.toString();
      assert.equal(got, expected, JSON.stringify(text));
    }
  }
});
