import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pickFields } from './header-fields.ts';

function picked(header: string, names: readonly string[], isNot: boolean): string {
  return pickFields(Buffer.from(header), names, isNot).toString();
}

test('fields are picked as they stand, with the blank line', () => {
  const header = 'Subject: a\r\n b\r\nFrom: c\r\nsubject: d\r\n\r\n';
  assert.equal(picked(header, ['SUBJECT'], false), 'Subject: a\r\n b\r\nsubject: d\r\n\r\n');
  assert.equal(picked(header, ['subject'], true), 'From: c\r\n\r\n');
  assert.equal(picked(header, ['from', 'subject'], true), '\r\n');
  assert.equal(picked('\r\n', ['from'], true), '\r\n');
});

test('a message that has no blank line is told without one by HEADER.FIELDS.NOT', () => {
  assert.equal(picked('Subject: a\r\n', ['from'], true), 'Subject: a\r\n');
  assert.equal(picked('Subject: a\r\n', ['subject'], true), '');
});
