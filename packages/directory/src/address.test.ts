import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addressText,
  detailOf,
  formatAddress,
  normalAddress,
  normalDomain,
  parseAddress,
  parseAliasAddress,
  parseLogin,
  splitDetail,
} from './address.ts';
import { limits } from './limits.ts';

function normal(given: string): string | undefined {
  const address = parseAddress(given);
  return address === undefined ? undefined : addressText(address);
}

test('addresses compare without case, in both forms of a domain, in NFC and unquoted', () => {
  const same: readonly [string, string][] = [
    ['Ann@Example.ORG', 'ann@example.org'],
    ['ann@example.org.', 'ann@example.org'],
    ['ann@Bücher.example', 'ann@xn--bcher-kva.example'],
    ['ann@BU\u0308CHER.example', 'ann@xn--bcher-kva.example'],
    ['ann@XN--BCHER-KVA.example', 'ann@xn--bcher-kva.example'],
    ['ann@例え。テスト', 'ann@xn--r8jz45g.xn--zckzah'],
    ['JOSE\u0301@example.org', 'josé@example.org'],
    ['"Ann"@example.org', 'ann@example.org'],
    ['"ann smith"@example.org', 'ann smith@example.org'],
    ['"a\\"b\\\\c@d"@example.org', 'a"b\\c@d@example.org'],
    ["o'hara/x=y@a_b.example", "o'hara/x=y@a_b.example"],
  ];
  for (const [given, expected] of same) assert.equal(normal(given), expected, given);
});

test('what is no address of a mailbox is refused', () => {
  const local = 'a'.repeat(limits.addressBytes - '@example.org'.length);
  assert.equal(normal(`${local}@example.org`), `${local}@example.org`);
  const bad = [
    '',
    'ann',
    '@example.org',
    'ann@',
    'ann@.',
    'ann@a..b',
    'ann@-a.example',
    'ann@[127.0.0.1]',
    'ann@127.1',
    'ann@10.0.0.1',
    'ann@ex%41mple.org',
    'ann@example.org:25',
    'ann@example.org/x',
    'ann smith@example.org',
    'a@b@example.org',
    '"ann@example.org',
    '"a"b"@example.org',
    'a\u0000b@example.org',
    'a\nb@example.org',
    '""@example.org',
    'a\ud800@example.org',
    `ann@${'a'.repeat(64)}.org`,
    `a${local}@example.org`,
    `ann@${'a.'.repeat(2_000)}org`,
  ];
  for (const given of bad) assert.equal(normal(given), undefined, JSON.stringify(given));
});

test('a domain has at most 253 octets', () => {
  const longest = `${`${'a'.repeat(61)}.`.repeat(4)}${'b'.repeat(5)}`;
  assert.equal(longest.length, limits.domainBytes);
  assert.equal(normalDomain(longest), longest);
  assert.equal(normalDomain(`${longest}b`), undefined);
});

test('a login may be bare only where there is a default domain', () => {
  assert.deepEqual(parseLogin('Ann', 'Example.org'), { local: 'ann', domain: 'example.org' });
  assert.deepEqual(parseLogin('ann@b.example', 'example.org'), { local: 'ann', domain: 'b.example' });
  assert.equal(parseLogin('ann', undefined), undefined);
});

test('only an alias may lack a local part', () => {
  assert.deepEqual(parseAliasAddress('@Example.org'), { local: '', domain: 'example.org' });
  assert.equal(parseAddress('@example.org'), undefined);
});

test('the first separator begins the detail', () => {
  const split = (local: string, separator = '+'): unknown => splitDetail({ local, domain: 'd' }, separator);
  assert.deepEqual(split('ann+a+b'), { base: { local: 'ann', domain: 'd' }, detail: 'a+b' });
  assert.deepEqual(split('ann+'), { base: { local: 'ann', domain: 'd' }, detail: '' });
  assert.deepEqual(split('ann--x', '--'), { base: { local: 'ann', domain: 'd' }, detail: 'x' });
  assert.equal(split('+ann'), undefined);
  assert.equal(split('ann'), undefined);
  assert.equal(split('ann+x', ''), undefined);
});

test('an address tells its detail whoever is behind it', () => {
  assert.equal(detailOf('Ann+List@elsewhere.example', '+'), 'list');
  assert.equal(detailOf('"ann lee+x"@d.example', '+'), 'x');
  for (const none of ['ann@d.example', 'ann+@d.example', 'ann+x', '']) assert.equal(detailOf(none, '+'), undefined);
  assert.equal(detailOf('ann+x@d.example', ''), undefined);
});

test('a local part is quoted where RFC 5321 wants it', () => {
  for (const text of ['ann@d', 'ann.smith+x@d', 'josé@d', '@d']) assert.equal(formatAddress(text), text);
  assert.equal(formatAddress('ann smith@d'), '"ann smith"@d');
  assert.equal(formatAddress('a"b\\c@d@d'), '"a\\"b\\\\c@d"@d');
  assert.equal(formatAddress('a..b@d'), '"a..b"@d');
  for (const text of ['ann smith@d', 'a"b\\c@d@d', 'a..b@d']) assert.equal(normal(formatAddress(text)), text);
});

test('an address is brought into our form, a name without domain into the default domain', () => {
  assert.equal(normalAddress('"Ann"@Bücher.Example.'), 'ann@xn--bcher-kva.example');
  assert.equal(normalAddress('ann'), undefined);
  assert.equal(normalAddress('Ann', 'x.example'), 'ann@x.example');
  assert.equal(normalAddress('two words', 'x.example'), undefined);
});
