import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baseSubject } from './base-subject.ts';

/** The subject, its base, and whether it is a reply or forwarded. */
const cases: readonly (readonly [string, string, boolean])[] = [
  ['', '', false],
  ['lunch', 'lunch', false],
  ['  lunch \t today\r\n ', 'lunch today', false],
  ['Re: lunch', 'lunch', true],
  ['RE: re: Fw: FWD: lunch', 'lunch', true],
  ['Re : lunch', 'lunch', true],
  ['Re\t\t:lunch', 'lunch', true],
  ['Re[2]: lunch', 'lunch', true],
  ['Re [list]: lunch', 'lunch', true],
  ['Re [list] : lunch', 'lunch', true],
  ['Re:', '', true],
  ['Re: (fwd)', '', true],
  ['lunch (fwd)', 'lunch', true],
  ['lunch (FWD)  (fwd) ', 'lunch', true],
  ['lunch(fwd)', 'lunch', true],
  ['(fwd) lunch', '(fwd) lunch', false],
  ['[list] lunch', 'lunch', false],
  ['[list] [other]lunch', 'lunch', false],
  ['[list] Re: lunch', 'lunch', true],
  ['[list] Re: [other] Fwd: lunch', 'lunch', true],
  ['Re: [list] lunch', 'lunch', true],
  ['[list]', '[list]', false],
  ['[list] [other]', '[other]', false],
  ['Re: [list]', '[list]', true],
  ['[list] Re:', '', true],
  ['[list] (fwd)', '[list]', true],
  ['[Fwd: lunch]', 'lunch', true],
  ['[fwd:lunch]', 'lunch', true],
  ['[Fwd: [list] lunch]', 'lunch', true],
  ['[Fwd: Re: [Fwd: lunch (fwd)]]', 'lunch', true],
  ['Re: [Fwd: lunch]', 'lunch', true],
  ['[Fwd: lunch] today', 'today', false],
  ['[Fwd:]', '', true],
  ['[Fwd: lunch', '[Fwd: lunch', false],
  ['[a [b] lunch', '[a [b] lunch', false],
  ['Regarding: lunch', 'Regarding: lunch', false],
  ['Refwd: lunch', 'Refwd: lunch', false],
  ['Fw lunch', 'Fw lunch', false],
  ['Re: Grüße', 'Grüße', true],
  ['Aw: lunch', 'Aw: lunch', false],
];

for (const [subject, text, isReply] of cases) {
  test(`the base of ${JSON.stringify(subject)} is ${JSON.stringify(text)}`, () => {
    assert.deepEqual(baseSubject(subject), { text, isReply });
  });
}

test('a long subject of nothing but prefixes takes no longer for each of them', () => {
  for (const piece of ['[a]', '[', 're:', '(fwd)', '[fwd:', ' ', 're [a', '[a] re ']) {
    const start = process.cpuUsage().user;
    baseSubject(piece.repeat(100_000));
    assert.ok(process.cpuUsage().user - start < 2_000_000, piece);
  }
});
