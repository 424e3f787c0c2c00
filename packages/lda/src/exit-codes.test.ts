import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RefusalKind } from './delivery.ts';
import { answerTo, type ExitCode, keep, weightiest } from './exit-codes.ts';

test('only who is unknown and what is too large goes back to the sender; a full mailbox where that is wanted', () => {
  const permanent: Partial<Record<RefusalKind, ExitCode>> = { badAddress: 67, unknownUser: 67, tooLarge: 65 };
  const kinds: readonly RefusalKind[] = [
    'badAddress',
    'unknownUser',
    'foreign',
    'loop',
    'tooManyTargets',
    'notHere',
    'overQuota',
    'tooLarge',
    'tooManyRecipients',
    'unavailable',
    'diskFull',
    'storage',
  ];
  for (const kind of kinds) {
    assert.equal(answerTo({ address: 'a', kind }, 'temporary').code, permanent[kind] ?? 75, kind);
    const expected = kind === 'overQuota' ? 77 : (permanent[kind] ?? 75);
    assert.equal(answerTo({ address: 'a', kind }, 'permanent').code, expected, kind);
  }
});

test('the line names who is meant, if not everybody is', () => {
  assert.equal(answerTo({ address: 'a@b', kind: 'unknownUser' }, 'temporary').text, 'a@b: no such user');
  assert.equal(answerTo({ address: '', kind: 'tooLarge' }, 'temporary').text, 'the message is too large');
});

test('what may be different tomorrow decides over what may not', () => {
  const unknown = answerTo({ address: 'a', kind: 'unknownUser' }, 'temporary');
  const large = answerTo({ address: 'b', kind: 'tooLarge' }, 'temporary');
  const later = keep('later');
  assert.equal(weightiest([unknown, large]), unknown);
  assert.equal(weightiest([unknown, later, keep('even later')]), later);
  assert.equal(weightiest([]), undefined);
});
