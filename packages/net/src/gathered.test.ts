import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gathered } from './gathered.ts';

test('one piece is given as it came, several as one copy, and none as nothing', () => {
  const gathered = new Gathered();
  assert.equal(gathered.whole().length, 0);
  const piece = Buffer.from('one');
  gathered.push(piece);
  assert.equal(gathered.whole(), piece);
  gathered.push(Buffer.alloc(0));
  assert.equal(gathered.whole(), piece);
  gathered.push(Buffer.from(' two'));
  assert.equal(gathered.whole().toString(), 'one two');
  assert.equal(gathered.bytes, 7);
});

test('many small pieces come out in order', () => {
  const gathered = new Gathered();
  for (let n = 0; n < 10_000; n++) gathered.push(Buffer.of(n % 251));
  const whole = gathered.whole();
  assert.equal(whole.length, 10_000);
  assert.ok(whole.every((octet, n) => octet === n % 251));
});
