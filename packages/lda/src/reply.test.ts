import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeliverySettings, RefusalKind } from './delivery.ts';
import { isTemporary } from './errors.ts';
import { capabilities, deliveredReply, refusalReply, replies, wrongReplies } from './reply.ts';

const settings: DeliverySettings = { name: 'mx.test', route: 'local', overQuota: 'temporary', detail: 'inbox' };

/** What mail servers act on. */
const expected: Readonly<Record<RefusalKind, string>> = {
  badAddress: '553 5.1.3',
  unknownUser: '550 5.1.1',
  foreign: '550 5.1.2',
  loop: '554 5.4.6',
  tooManyTargets: '554 5.4.0',
  notHere: '451 4.4.4',
  overQuota: '452 4.2.2',
  tooLarge: '552 5.3.4',
  tooManyRecipients: '452 4.5.3',
  unavailable: '451 4.4.3',
  diskFull: '452 4.3.1',
  storage: '451 4.3.0',
};

test('each refusal has its code', () => {
  for (const [kind, code] of Object.entries(expected)) {
    assert.ok(refusalReply(kindOf(kind), settings).startsWith(`${code} `), kind);
  }
  assert.match(refusalReply('overQuota', { ...settings, overQuota: 'permanent' }), /^552 5\.2\.2 /);
});

function kindOf(name: string): RefusalKind {
  const kinds: readonly RefusalKind[] = ['badAddress', 'unknownUser', 'foreign', 'loop', 'tooManyTargets', 'notHere'];
  const more: readonly RefusalKind[] = [
    'overQuota',
    'tooLarge',
    'tooManyRecipients',
    'unavailable',
    'diskFull',
    'storage',
  ];
  const kind = [...kinds, ...more].find((known) => known === name);
  assert.ok(kind !== undefined, name);
  return kind;
}

test('the code says temporary where trying again can help, and nowhere else', () => {
  for (const overQuota of ['temporary', 'permanent'] as const) {
    for (const kind of Object.keys(expected).map(kindOf)) {
      const reply = refusalReply(kind, { ...settings, overQuota });
      assert.equal(reply.startsWith('4'), isTemporary(kind, overQuota), `${kind}: ${reply}`);
    }
  }
});

test('every reply is one line with a code and, but for the greeting’s and 354, an enhanced code of the same class', () => {
  const all = [...Object.values(replies), ...Object.values(wrongReplies), deliveredReply('x')];
  for (const reply of all) {
    assert.match(reply, /^(?:354 |([245])\d\d \1\.\d\.\d )[ -~]+\r\n$/, reply);
    assert.ok(reply.length <= 512);
  }
});

test('LHLO is answered with our name first and the extensions in lines of their own', () => {
  const lines = capabilities('mx.test', 1_000).split('\r\n');
  assert.equal(lines[0], '250-mx.test');
  assert.equal(lines.at(-2), '250 SIZE 1000');
  assert.ok(lines.slice(0, -2).every((line) => line.startsWith('250-')));
});
