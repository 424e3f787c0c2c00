import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesOf } from './text-lines.ts';

async function lines(...pieces: readonly string[]): Promise<string[]> {
  async function* input(): AsyncGenerator<Buffer> {
    for (const piece of pieces) yield Buffer.from(piece, 'latin1');
  }
  const found: string[] = [];
  for await (const line of linesOf(input())) found.push(line);
  return found;
}

test('lines are found wherever the pieces end, in LF and in CRLF, the last one without an end', async () => {
  assert.deepEqual(await lines('a\nb', 'c\r', '\n\n', '', 'd'), ['a', 'bc', '', 'd']);
  assert.deepEqual(await lines('a\n'), ['a']);
  assert.deepEqual(await lines(), []);
  assert.deepEqual(await lines('\xc3', '\xa4\n'), ['ä']);
});

test('a line without end is kept up to its bound', async () => {
  const [line, next] = await lines(...Array.from({ length: 40 }, () => 'x'.repeat(10_000)), '\nnext');
  assert.deepEqual([line?.length, next], [65_536, 'next']);
});
