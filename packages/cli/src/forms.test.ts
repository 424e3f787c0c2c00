import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asctime, parseFromLine } from './from-line.ts';
import { LfConverter } from './lf-lines.ts';
import { parseMailDate } from './mail-date.ts';
import { decodeModifiedUtf7, encodeModifiedUtf7 } from './modified-utf7.ts';
import { mailboxFromPath, pathOfMailbox } from './path-name.ts';
import { humanBytes } from './text.ts';

test('From_ lines are told from text, in the forms that programs wrote', () => {
  const at = Date.UTC(1996, 0, 3, 1, 5, 34) / 1000;
  const same: [string, number | undefined][] = [
    ['From a@b Wed Jan  3 01:05:34 1996', at],
    ['From a@b  Wed Jan 3 01:05:34 1996\r', at],
    ['From - Wed Jan 03 01:05:34 1996', at],
    ['From a b c Wed, Jan  3 01:05:34 96', at],
    ['From a@b Wed Jan  3 01:05 1996', at - 34],
    ['From a@b Wed Jan  3 01:05:34 EST 1996', at],
    ['From a@b Wed Jan  3 01:05:34 1996 +0100', at - 3600],
    ['From a@b Wed Jan  3 01:05:34 1996 remote from host', at],
    ['From - ', undefined],
  ];
  for (const [line, date] of same) assert.deepEqual(parseFromLine(line), { date }, line);
  const text = ['From Russia with love', 'From here on', 'From a@b Wed Foo  3 01:05:34 1996', 'From 1996'];
  for (const line of text) assert.equal(parseFromLine(line), undefined, line);
  assert.deepEqual(parseFromLine(`From a ${asctime(at)}`), { date: at });
});

test('CRLF becomes LF so that LF can become CRLF again', () => {
  const texts = [
    'a\r\nb\r\n',
    'a\rb\r\r\nc\r\r\r\n',
    '\r\n\r\n',
    '\r',
    'a\r',
    '',
    'a',
    '\r\r',
    '\r\n\r',
    'x\r\r\n\r\n\ry\r\n',
  ];
  for (const text of texts) {
    for (const bytes of [1, 2, 3, 100]) {
      const converter = new LfConverter();
      let got = '';
      for (let at = 0; at < text.length; at += bytes)
        got += converter.push(Buffer.from(text.slice(at, at + bytes))).toString();
      got += converter.end(true).toString();
      const whole = text === '' || text.endsWith('\n') ? text : `${text}\r\n`;
      assert.equal(got.replace(/(?<!\r)\n/g, '\r\n'), whole, JSON.stringify([text, bytes, got]));
      if (!text.includes('\r\r')) assert.ok(!got.replace(/\r(?!\n)/g, '').includes('\r\n') || text.endsWith('\r'), got);
    }
  }
});

test('mailbox names become paths and come back', () => {
  for (const name of ['INBOX', 'a/b', '.x/..', '100%', 'a.eml', 'A.EML/b.mbox', 'q?*"<>|:\\', '%41', 'ü/日本', '.']) {
    const path = pathOfMailbox(name);
    assert.equal(mailboxFromPath(path), name);
    for (const level of path) assert.doesNotMatch(level, /^\.|[\\:*?"<>|]|\.(eml|mbox)$/i);
  }
  for (const name of ['INBOX', 'Entwürfe', '&', 'a&b', '日本語', '~peter/mail', '😀', 'a.b/c']) {
    const encoded = encodeModifiedUtf7(name, /[./]/);
    assert.match(encoded, /^[ -~]*$/);
    assert.doesNotMatch(encoded, /[./]/);
    assert.equal(decodeModifiedUtf7(encoded), name);
  }
  assert.equal(decodeModifiedUtf7('Entw&APw-rfe'), 'Entwürfe');
  assert.equal(decodeModifiedUtf7('&bad&-'), '&bad&');
});

test('dates are read and written', () => {
  const cases: [string, number | undefined][] = [
    ['Fri, 21 Nov 1997 09:55:06 -0600', Date.UTC(1997, 10, 21, 15, 55, 6)],
    ['21 Nov 97 09:55:06 GMT', Date.UTC(1997, 10, 21, 9, 55, 6)],
    ['Fri, 21 Nov 1997 09(comment):   55  :  06 -0600', undefined],
    ['Thu,\t13 (x) Feb 1969 23:32 PST', Date.UTC(1969, 1, 14, 7, 32)],
    ['yesterday', undefined],
  ];
  for (const [text, ms] of cases) assert.equal(parseMailDate(text), ms === undefined ? undefined : ms / 1000, text);
});

test('octets are shown to people', () => {
  assert.deepEqual([0, 1023, 1024, 10_240, 1_048_576, 2 ** 40].map(humanBytes), [
    '0',
    '1023',
    '1.0K',
    '10K',
    '1.0M',
    '1.0T',
  ]);
});
