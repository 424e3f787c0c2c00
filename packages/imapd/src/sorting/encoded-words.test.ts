import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldText } from './encoded-words.ts';

const cases: readonly (readonly [string, string])[] = [
  ['plain', 'plain'],
  ['=?utf-8?q?Gr=C3=BC=C3=9Fe_an?= alle', 'Grüße an alle'],
  ['=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=', 'ab'],
  ['=?ISO-8859-1?Q?a?=\r\n =?UTF-8?B?w7w=?= c', 'aü c'],
  ['=?utf-8?b?w7xu?==?utf-8?b?w7w=?=', 'ünü'],
  // One character in two words.
  ['=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=', 'ü'],
  ['=?utf-8*de?q?Gru=C3=9F?=', 'Gruß'],
  ['=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=', '日本'],
  ['=?koi8-r?Q?=C4=C1?=', 'да'],
  ['a =?utf-8?q?b c?= d', 'a b c d'],
  ['=?nothing-known?q?a?= b', '=?nothing-known?q?a?= b'],
  ['=?utf-8?x?a?=', '=?utf-8?x?a?='],
  ['=?utf-8?q?open', '=?utf-8?q?open'],
  ['=?utf-8?q?=ZZ?=', '=ZZ'],
  ['\xc3\xbc', 'ü'],
  ['\xfc', 'ü'],
  ['\xc3\xbc =?utf-8?q?=C3=BC?=', 'ü ü'],
];

for (const [value, expected] of cases) {
  test(`${JSON.stringify(value)} says ${JSON.stringify(expected)}`, () => assert.equal(fieldText(value), expected));
}
