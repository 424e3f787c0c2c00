import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mechanism, name, noArguments, numberAndLines, numberOrAll, oneNumber, password } from './arguments.ts';

const octets = (text: string): Buffer => Buffer.from(text, 'utf8');

test('numbers are digits, as many as they like', () => {
  for (const text of ['1', ' 1', '1 ', '01', '00000000000000000001']) assert.equal(oneNumber(octets(text)), 1);
  for (const text of ['', ' ', '-1', '+1', '1.0', '1e3', '0x1', '1 2', '١', 'one']) {
    assert.equal(oneNumber(octets(text)), undefined, text);
  }
  assert.equal(oneNumber(octets('9'.repeat(200))), 0xffff_ffff);
  assert.equal(numberOrAll(octets('  ')), 'all');
  assert.equal(numberOrAll(octets('7')), 7);
  assert.deepEqual(numberAndLines(octets('7 0')), { number: 7, lines: 0 });
  assert.equal(numberAndLines(octets('7')), undefined);
  assert.equal(numberAndLines(octets('7 0 0')), undefined);
});

test('a name loses blanks at its end, a password none', () => {
  assert.equal(name(octets('a b ')), 'a b');
  assert.equal(name(octets(' ')), undefined);
  assert.equal(password(octets(' a ')), ' a ');
  assert.equal(password(octets('ü')), 'ü');
  assert.equal(password(octets('')), undefined);
});

test('what is not UTF-8, or holds a NUL, is no text', () => {
  assert.equal(name(Buffer.from('\xfc', 'latin1')), undefined);
  assert.equal(password(octets('a\0b')), undefined);
});

test('a mechanism may bring its first response', () => {
  assert.deepEqual(mechanism(octets('')), { name: undefined, initial: undefined });
  assert.deepEqual(mechanism(octets('PLAIN')), { name: 'PLAIN', initial: undefined });
  assert.deepEqual(mechanism(octets('PLAIN =')), { name: 'PLAIN', initial: '=' });
  assert.equal(mechanism(octets('PLAIN a b')), undefined);
  assert.equal(noArguments(octets('  ')), true);
  assert.equal(noArguments(octets('x')), undefined);
});
