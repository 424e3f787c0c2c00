import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutExtensions } from './body-structure.ts';

const plain = (text: string): string => withoutExtensions(Buffer.from(text, 'latin1')).toString('latin1');

test('extension data goes, whatever it holds', () => {
  const text = '("text" "plain" ("charset" "utf-8") NIL "a \\"b\\" (c" "7bit" 4 1';
  assert.equal(plain(`${text} NIL NIL NIL NIL)`), `${text})`);
  assert.equal(plain(`${text} "md5" ("attachment" ("filename" "x) (y")) ("de" "en") {5}\r\n) ("()`), `${text})`);
  assert.equal(plain(`${text})`), `${text})`);
});

test('a part that is no text has no lines', () => {
  const image = '("image" "png" NIL {4}\r\n<)(> NIL "base64" 400';
  assert.equal(plain(`${image} NIL NIL NIL NIL)`), `${image})`);
});

test('a multipart keeps its parts and its subtype', () => {
  const one = '("text" "plain" NIL NIL NIL "7bit" 4 1';
  const two = '("application" "pdf" NIL NIL NIL "base64" 9';
  assert.equal(
    plain(`(${one} NIL NIL NIL NIL)${two} NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`),
    `(${one})${two}) "mixed")`,
  );
});

test('a message keeps its envelope, and its structure loses what others lose', () => {
  const inner = '("text" "plain" NIL NIL NIL "7bit" 4 1';
  const envelope = '(NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL)';
  const head = `("message" "rfc822" NIL NIL NIL "7bit" 24 ${envelope} `;
  assert.equal(plain(`${head}${inner} NIL NIL NIL NIL) 2 NIL NIL NIL NIL)`), `${head}${inner}) 2)`);
});

test('what is no body structure is found out', () => {
  for (const text of [
    '',
    '(',
    '("text"',
    '("text" "plain" NIL NIL NIL "7bit" 4',
    '("a" "b" NIL NIL NIL "c" {9}\r\nx)',
  ]) {
    assert.throws(() => plain(text));
  }
});
