import assert from 'node:assert/strict';
import { test } from 'node:test';
import { derive, treeOf } from '@mstore/store';
import { EnvelopeReader } from './envelope-reader.ts';

function readerOf(...header: readonly string[]): EnvelopeReader {
  const octets = Buffer.from(`${header.join('\r\n')}\r\n\r\n`, 'latin1');
  return new EnvelopeReader(derive(treeOf([{ kind: 'literal', bytes: octets.length }], octets)).envelope);
}

const all = 1_000;

test('values are read in their order, in each form that a string has', () => {
  const reader = readerOf(
    'Date: Mon, 7 Feb 1994 21:52:25 -0800',
    'Subject: a "quoted \\ one"',
    'From: Bob (the (first) "one") <bob@example.org>, Eve <eve@example.org>',
    'To: "a, (b" <"o)dd \\"one\\""@example.org>',
    'Cc: friends: jim@example.org, kim@example.org;',
  );
  assert.equal(reader.string(all), 'Mon, 7 Feb 1994 21:52:25 -0800');
  assert.equal(reader.string(all), 'a "quoted \\ one"');
  assert.deepEqual(reader.firstAddress(all), { name: 'Bob', mailbox: 'bob', host: 'example.org' });
  reader.skip();
  reader.skip();
  assert.equal(reader.firstAddress(all)?.mailbox, 'o)dd "one"');
  assert.deepEqual(reader.firstAddress(all), { name: '', mailbox: 'friends', host: '' });
  assert.equal(reader.firstAddress(all), undefined, 'no Bcc');
});

test('literals are read and passed over', () => {
  const odd = `\xfc (")] ${'x'.repeat(1_200)}`;
  const reader = readerOf(
    `Subject: ${odd}`,
    `From: "${'\xfc ('.repeat(9)}" <bob@example.org>`,
    'To: \xfcmit@example.org',
  );
  assert.equal(reader.string(all), '', 'no Date');
  assert.equal(reader.string(7), odd.slice(0, 7));
  reader.skip();
  reader.skip();
  reader.skip();
  assert.equal(reader.firstAddress(all)?.mailbox, '\xfcmit');
});

test('what is no envelope is read to its end and no further', () => {
  for (const octets of ['', '(', '("open', '({99}\r\nshort', '({9', '((((', '(NI', '("a\\']) {
    const reader = new EnvelopeReader(Buffer.from(octets));
    reader.string(all);
    reader.skip();
    reader.firstAddress(all);
    assert.equal(reader.string(all), '', octets);
  }
});
