import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSentDate } from './sent-date.ts';

/** The Date field, and the same in ISO 8601; empty for what is no date. */
const cases: readonly (readonly [string, string])[] = [
  ['Sun, 31 Dec 2000 16:01:33 -0800', '2001-01-01T00:01:33Z'],
  ['31 Dec 2000 16:01:33 -0800', '2001-01-01T00:01:33Z'],
  ['Mon, 7 Feb 1994 21:52:25 -0800 (PST)', '1994-02-08T05:52:25Z'],
  ['Mon, 7 Feb 1994 21:52 +0530', '1994-02-07T16:22:00Z'],
  ['Mon, 7 Feb 94 21:52:25 GMT', '1994-02-07T21:52:25Z'],
  ['Mon, 7 Feb 49 21:52:25 UT', '2049-02-07T21:52:25Z'],
  ['Mon, 7 Feb 103 21:52:25 UT', '2003-02-07T21:52:25Z'],
  ['Mon, 7 Feb 1994 21:52:25 EST', '1994-02-08T02:52:25Z'],
  ['Mon, 7 Feb 1994 21:52:25 pdt', '1994-02-08T04:52:25Z'],
  ['Mon (the first), 7 (seventh) Feb 1994 (a (nested) one) 21:52:25 +0000', '1994-02-07T21:52:25Z'],
  ['Mon,\r\n 7\tFeb 1994 21 : 52 : 25 +0000', '1994-02-07T21:52:25Z'],
  ['7-Feb-1994 21:52:25 +0000', '1994-02-07T21:52:25Z'],
  ['29 Feb 2000 00:00:00 +0000', '2000-02-29T00:00:00Z'],
  ['30 Jun 2012 23:59:60 +0000', '2012-07-01T00:00:00Z'],
  // A zone that is none is UTC.
  ['Mon, 7 Feb 1994 21:52:25', '1994-02-07T21:52:25Z'],
  ['Mon, 7 Feb 1994 21:52:25 Z', '1994-02-07T21:52:25Z'],
  ['Mon, 7 Feb 1994 21:52:25 +0175', '1994-02-07T21:52:25Z'],
  ['Mon, 7 Feb 1994 21:52:25 +01', '1994-02-07T21:52:25Z'],
  ['Mon, 7 Feb 1994 21:52:25 XYZ', '1994-02-07T21:52:25Z'],
  // A time that is none is midnight.
  ['Mon, 7 Feb 1994', '1994-02-07T00:00:00Z'],
  ['Mon, 7 Feb 1994 25:52:25 -0800', '1994-02-07T00:00:00Z'],
  ['Mon, 7 Feb 1994 in the evening', '1994-02-07T00:00:00Z'],
  // What has no day is none.
  ['Mon, 30 Feb 1994 21:52:25 +0000', ''],
  ['Mon, 0 Feb 1994 21:52:25 +0000', ''],
  ['7 Foo 1994 21:52:25 +0000', ''],
  ['Mon, 7 Feb 19941 21:52:25 +0000', ''],
  ['yesterday', ''],
  ['', ''],
  ['(Mon, 7 Feb 1994 21:52:25 +0000', ''],
];

for (const [field, expected] of cases) {
  test(`${JSON.stringify(field)} is ${expected === '' ? 'no date' : expected}`, () => {
    const seconds = parseSentDate(field);
    assert.equal(seconds, expected === '' ? undefined : Date.parse(expected) / 1_000);
  });
}
