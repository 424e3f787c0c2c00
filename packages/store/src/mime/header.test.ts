import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits } from '../limits.ts';
import { fieldValue, fieldValues, headerFields, listedFieldNames, listedFields, messageIds } from './header.ts';

const octets = (text: string) => Buffer.from(text, 'latin1');
const fields = (text: string) =>
  [...headerFields(octets(text))].map(({ name, value, span }) => [
    name,
    value.toString('latin1'),
    span.start,
    span.end,
  ]);

/** As `fields`, by lines as text. */
function fieldsByLine(text: string): ReturnType<typeof fields> {
  const found: ReturnType<typeof fields> = [];
  let at = 0;
  for (const lines of text.match(/[^\n]*(?:\n(?:[ \t][^\n]*\n?)*|$)/g) ?? []) {
    if (/^\r?\n/.test(lines)) break;
    const start = at;
    at += lines.length;
    const [, name, value] = /^([^:\n]*):(.*)$/s.exec(lines) ?? [];
    if (name === undefined || value === undefined || /^[ \t]/.test(lines)) continue;
    found.push([name.replace(/[ \t]+$/, ''), value.replace(/\r?\n$/, ''), start, at]);
  }
  return found;
}

describe('header', () => {
  it('gives each field with its folding and its place', () => {
    assert.deepEqual(fields('Subject: a\r\n b\r\nX-Y :c\r\n\r\nTo: d\r\n'), [
      ['Subject', ' a\r\n b', 0, 16],
      ['X-Y', 'c', 16, 24],
    ]);
  });

  it('finds what a reading line by line finds', () => {
    const piece = fc.constantFrom('\r\n', '\n', '\r', ':', ' ', '\t', 'A', 'To', '\0', '\xff', '\r\n ', 'X: y\r\n');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const header = pieces.join('');
        assert.deepEqual(fields(header), fieldsByLine(header));
      }),
      { numRuns: 2_000 },
    );
  });

  it('passes over lines that are no field', () => {
    assert.deepEqual(
      fields(' To: a\r\nFrom me\r\n b: c\r\n>From: x\r\n: y\r\nTo: z').map(([name]) => name),
      ['>From', '', 'To'],
    );
  });

  it('does not mind a missing line end, bare CR, NUL or 8-bit', () => {
    assert.deepEqual(fields('A: \0\xff\rB: x'), [['A', ' \0\xff\rB: x', 0, 10]]);
    assert.deepEqual(fields(''), []);
    assert.deepEqual(fields('\r\nA: b\r\n'), []);
  });

  it('unfolds values and takes the blanks off their ends', () => {
    const header = octets('Subject:\r\n \t a\r\n\tb  \r\n \r\nsubject: c\r\nTo:\r\nX: \t\r\n');
    assert.equal(fieldValue(header, 'Subject')?.toString(), 'a\tb');
    assert.deepEqual(fieldValues(header, 'SUBJECT').map(String), ['a\tb', 'c']);
    assert.equal(fieldValue(header, 'to')?.length, 0);
    assert.equal(fieldValue(header, 'x')?.length, 0);
    assert.equal(fieldValue(header, 'cc'), undefined);
  });

  it('looks at no more fields than the limit', () => {
    const many = (count: number) => octets('A: b\r\n'.repeat(count));
    assert.equal([...headerFields(many(limits.headerFields))].length, limits.headerFields);
    assert.equal([...headerFields(many(limits.headerFields + 1))].length, limits.headerFields);
  });

  it('lists the fields that clients list, as they stand and in order', () => {
    const header = octets(
      'Received: a\r\n b\r\nSUBJECT : x\r\n\ty\r\nTo: z\r\nReturn-Path: <>\r\nDelivered-To: q\r\nfrom: a\r\nX-Foo: b\r\nCc: c',
    );
    assert.equal(listedFields(header).toString(), 'SUBJECT : x\r\n\ty\r\nTo: z\r\nfrom: a\r\nCc: c\r\n');
    assert.equal(listedFields(octets('\r\n')).length, 0);
    assert.equal(listedFields(octets('To: x\r')).toString(), 'To: x\r\r\n');
    assert.equal(new Set(listedFieldNames).size, listedFieldNames.length);
    assert.ok(listedFieldNames.every((name) => name === name.toLowerCase()));
  });
});

const idCases: readonly (readonly [string, string, readonly string[]])[] = [
  ['none', 'Subject: x', []],
  ['the own one first', 'References: <a@b>\r\nMessage-ID: <c@d>\r\n', ['<c@d>', '<a@b>']],
  [
    'In-Reply-To before References, each once',
    'Message-Id:<c@d>\r\nReferences: <1@x>\r\n <2@x><3@x>\r\nIn-Reply-To: <3@x>\r\n',
    ['<c@d>', '<3@x>', '<1@x>', '<2@x>'],
  ],
  ['without the blanks that folding left', 'References: <a\r\n b@c >\r\n', ['<ab@c>']],
  ['an own one without brackets', 'Message-ID: a@b \r\n', ['<a@b>']],
  [
    'the first own one that is one',
    'Message-ID: \r\nMessage-ID: <>\r\nMessage-ID: <a@b>\r\nMessage-ID: <c@d>\r\n',
    ['<a@b>'],
  ],
  [
    'what stands in brackets among garbage',
    'In-Reply-To: Your message of "x" <a@b>. <<c@d>> <e < f>\r\n',
    ['<a@b>', '<c@d>', '<f>'],
  ],
  ['no endless ones', `References: <${'x'.repeat(2_000)}> <a@b\r\n`, []],
];

describe('message ids', () => {
  for (const [name, header, expected] of idCases) {
    it(`gives ${name}`, () => assert.deepEqual(messageIds(octets(header)), expected));
  }

  it('keeps the own, the first and the last of too many', () => {
    const ids = (count: number, domain: string) => Array.from({ length: count }, (_, n) => `<${n}@${domain}>`);
    const most = limits.threadKeys;
    const header = (reply: number, references: number) =>
      octets(`Message-ID: <own@x>\r\nIn-Reply-To: ${ids(reply, 'r')}\r\nReferences: ${ids(references, 'x')}\r\n`);
    assert.equal(messageIds(header(0, most - 1)).length, most);
    const many = messageIds(header(0, 500));
    assert.equal(many.length, most);
    assert.deepEqual(many.slice(0, 3), ['<own@x>', '<0@x>', `<${502 - most}@x>`]);
    assert.equal(many.at(-1), '<499@x>');
    const replies = messageIds(header(500, 500));
    assert.equal(replies.length, most);
    assert.deepEqual([replies[0], replies[1], replies.at(-1)], ['<own@x>', '<0@r>', '<499@x>']);
    assert.ok(replies.includes('<0@x>'));
    assert.equal(messageIds(header(500, 0)).length, most);
    assert.equal(new Set(messageIds(header(500, 1))).size, messageIds(header(500, 1)).length);
  });

  it('stays linear on garbage', () => {
    for (const piece of ['<', '>', '<>', '<a>', ' ', 'a\r\n ', '<\r\n ', ':', '\r\n']) {
      const header = octets(`References: ${piece.repeat(Math.ceil(1_000_000 / piece.length))}`);
      const started = process.hrtime.bigint();
      messageIds(header);
      listedFields(header);
      fieldValue(header, 'references');
      const ms = Number(process.hrtime.bigint() - started) / 1e6;
      assert.ok(ms < 1_500, `${piece}: ${ms} ms`);
    }
  });
});
