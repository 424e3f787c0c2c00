import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseImportLine, parseQuota } from './import-line.ts';
import { limits } from './limits.ts';

test('lines say whom to import', () => {
  const hash = `$5$salt$${'A'.repeat(43)}`;
  const user = (rest: object): object => ({ kind: 'user', address: 'ann@example.org', ...rest });
  assert.deepEqual(parseImportLine('Ann@Example.org secret'), user({ plain: 'secret' }));
  assert.deepEqual(
    parseImportLine('\ufeffann@example.org\tsecret  2G\r'),
    user({ plain: 'secret', quotaBytes: 2 ** 31 }),
  );
  assert.deepEqual(parseImportLine(`ann@example.org ${hash} 0`), user({ stored: hash, quotaBytes: 0 }));
  assert.deepEqual(parseImportLine('"ann b"@example.org x'), {
    kind: 'user',
    address: 'ann b@example.org',
    plain: 'x',
  });
  for (const line of ['', '   ', '# ann@example.org x', '  #'])
    assert.deepEqual(parseImportLine(line), { kind: 'none' });
});

test('what is wrong with a line is said without its password', () => {
  const bad = [
    ['ann@example.org', /form/],
    ['ann@example.org s3cret 1G more', /form/],
    ['ann s3cret', /ann is no address/],
    ['ann@example.org top s3cret', /no quota/],
    ['ann@example.org s3cret\ufffd', /UTF-8/],
    ['m\ufffdller@example.org s3cret', /UTF-8/],
    ['ann@example.org {MD5}s3cret', /scheme MD5/],
    ['ann@example.org {SSHA}s3cret', /scheme SSHA/],
    [`ann@example.org ${'s3cret'.repeat(300)}`, /exceeds/],
    [`ann@example.org ${'s3cret'.repeat(1_000)}`, /too long/],
  ] as const;
  for (const [line, problem] of bad) {
    const parsed = parseImportLine(line);
    assert(parsed.kind === 'bad', line);
    assert.match(parsed.problem, problem);
    assert.doesNotMatch(parsed.problem, /s3cret/);
  }
});

test('quotas have units of 1024', () => {
  assert.equal(parseQuota('0'), 0);
  assert.equal(parseQuota('1500'), 1_500);
  assert.equal(parseQuota('10k'), 10_240);
  assert.equal(parseQuota('3MB'), 3 * 2 ** 20);
  assert.equal(parseQuota('1T'), 2 ** 40);
  assert.equal(parseQuota(String(limits.quota)), limits.quota);
  for (const text of ['', '-1', '1.5G', 'G', '9007199254740992', '9999999T']) assert.equal(parseQuota(text), undefined);
});
