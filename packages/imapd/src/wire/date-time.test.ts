import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { expectDate, formatDateTime, parseDateTime, tryDateTime } from './date-time.ts';
import { accepted, refused } from './support.test.ts';

test('a date with its time is seconds since 1970, its zone taken off', () => {
  assert.equal(parseDateTime('17-Jul-1996 02:44:25 -0700'), 837_596_665);
  assert.equal(parseDateTime(' 1-Jan-1970 00:00:00 +0000'), 0);
  assert.equal(parseDateTime('1-Jan-1970 00:00:00 +0000'), 0);
  assert.equal(parseDateTime('01-jan-1970 01:30:00 +0130'), 0);
  assert.equal(parseDateTime('29-Feb-2024 23:59:60 +0000'), Date.UTC(2024, 2, 1) / 1_000);
  assert.equal(parseDateTime('31-Dec-0001 00:00:00 +0000'), -62_104_147_200);
});

test('what is in no calendar is no date', () => {
  const wrong = [
    '30-Feb-2024 00:00:00 +0000',
    '29-Feb-2023 00:00:00 +0000',
    '00-Jan-2024 00:00:00 +0000',
    '32-Jan-2024 00:00:00 +0000',
    '-Jan-2024 00:00:00 +0000',
    '  1-Jan-2024 00:00:00 +0000',
    '01-Foo-2024 00:00:00 +0000',
    '01-Jan-24 00:00:00 +0000',
    '01-Jan-2024 24:00:00 +0000',
    '01-Jan-2024 00:60:00 +0000',
    '01-Jan-2024 00:00:61 +0000',
    '01-Jan-2024 00:00:00 +2400',
    '01-Jan-2024 00:00:00 +0060',
    '01-Jan-2024 00:00:00 GMT',
    '01-Jan-2024 00:00:00',
    // Beyond four digits in UTC.
    '31-Dec-9999 23:59:59 -0100',
    '01-Jan-0000 00:00:00 +0100',
    '',
  ];
  for (const text of wrong) {
    assert.equal(parseDateTime(text), undefined, text);
    refused(`"${text}"`, tryDateTime);
  }
});

test('dates are shown in UTC, with a blank for a missing digit', () => {
  assert.equal(formatDateTime(837_596_665), '17-Jul-1996 09:44:25 +0000');
  assert.equal(formatDateTime(0), ' 1-Jan-1970 00:00:00 +0000');
});

test('any second comes back as it went', () => {
  // From the year 1 to the end of 9999.
  fc.assert(
    fc.property(fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), (seconds) => {
      assert.equal(parseDateTime(formatDateTime(seconds)), seconds);
    }),
    { numRuns: 1_000 },
  );
});

test('a day of SEARCH comes with and without quotes', () => {
  const day = Date.UTC(1994, 1, 1) / 86_400_000;
  for (const text of ['1-Feb-1994', '01-Feb-1994', '"1-Feb-1994"', '" 1-Feb-1994"', '1-FEB-1994']) {
    assert.equal(accepted(text, expectDate), day, text);
  }
  for (const text of ['30-Feb-1994', '1-Feb-94', 'yesterday', '', '1/2/1994']) refused(text, expectDate);
});
