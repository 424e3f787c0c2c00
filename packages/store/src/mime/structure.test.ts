import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits } from '../limits.ts';
import type { Entity } from './entity.ts';
import { envelope } from './envelope.ts';
import { listedFields } from './header.ts';
import { Splitter } from './splitter.ts';
import { body, bodyStructure, section } from './structure.ts';
import { parseWireList, Recorder } from './support.test.ts';

function tree(message: string): Entity {
  const splitter = new Splitter(new Recorder());
  splitter.push(Buffer.from(message, 'latin1'));
  return splitter.end();
}

const shownEnvelope = (header: string) => envelope(Buffer.from(header, 'latin1')).toString('latin1');
const nothing = 'NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL';

const envelopes: readonly (readonly [string, string, string])[] = [
  ['an empty header', '', `(${nothing})`],
  [
    'RFC 9051’s example',
    'Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\nSubject: IMAP4rev2 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\ncc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\nMessage-Id: <B27397-0100000@cac.washington.edu>\r\n',
    '("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>")',
  ],
  [
    'empty fields: strings are empty, addresses NIL or From’s',
    'Date:\r\nSubject: \r\nFrom: a@b\r\nSender:\r\nReply-To: ,\r\nTo:\r\nIn-Reply-To: \r\nMessage-ID:\r\n',
    '("" "" ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL "" "")',
  ],
  [
    'repeated fields: addresses joined, of the others the first',
    'Subject: x\r\nSubject: y\r\nTo: a@b\r\nTo: c@d\r\n',
    '(NIL "x" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)',
  ],
  ['quoting', 'Subject: a "b" \\c\r\n', '(NIL "a \\"b\\" \\\\c" NIL NIL NIL NIL NIL NIL NIL NIL)'],
  [
    '8-bit, bare CR and NUL',
    'Subject: \xe4\r\0\r\n b\r\n',
    '(NIL {5}\r\n\xe4\r\x80 b NIL NIL NIL NIL NIL NIL NIL NIL)',
  ],
  [
    'long text',
    `Subject: ${'x'.repeat(1_001)}`,
    `(NIL {1001}\r\n${'x'.repeat(1_001)} NIL NIL NIL NIL NIL NIL NIL NIL)`,
  ],
];

describe('envelope', () => {
  for (const [name, header, expected] of envelopes) {
    it(`shows ${name}`, () => {
      assert.equal(shownEnvelope(header), expected);
      parseWireList(Buffer.from(expected, 'latin1'));
    });
  }

  it('shows no more addresses of a field than the limit, however often it occurs', () => {
    const list = parseWireList(Buffer.from(shownEnvelope('To: a@b, c@d, e@f\r\n'.repeat(limits.headerFields))))[5];
    assert.ok(Array.isArray(list) && list.length === limits.addresses);
  });
});

const bare = 'NIL NIL NIL NIL';

const structures: readonly (readonly [string, string, string, string])[] = [
  [
    'a message without MIME fields',
    'Subject: x\r\n\r\na\r\nb\r\n',
    `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 2 ${bare})`,
    '("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 2)',
  ],
  [
    'every field of a part',
    'Content-Type: Image/PNG; Name="a\\"b"\r\nContent-Transfer-Encoding: BASE64\r\nContent-ID: <x>\r\nContent-Description: d\r\n e\r\nContent-MD5: m\r\nContent-Disposition: inline; filename*0=a; filename*1=b\r\nContent-Language: en, de\r\nContent-Location: http://x/\r\n\r\nQQ==',
    '("image" "png" ("Name" "a\\"b") "<x>" "d e" "base64" 4 "m" ("inline" ("filename" "ab")) ("en" "de") "http://x/")',
    '("image" "png" ("Name" "a\\"b") "<x>" "d e" "base64" 4)',
  ],
  [
    'a multipart',
    'Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\na\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\nbb\r\n--b--\r\n',
    `(("text" "plain" NIL NIL NIL "7bit" 1 0 ${bare})("text" "html" ("charset" "utf-8") NIL NIL "7bit" 2 0 ${bare}) "alternative" ("boundary" "b") NIL NIL NIL)`,
    '(("text" "plain" NIL NIL NIL "7bit" 1 0)("text" "html" ("charset" "utf-8") NIL NIL "7bit" 2 0) "alternative")',
  ],
  [
    'a message in a message',
    'Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\na\r\n',
    `("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 ${bare}) 3 ${bare})`,
    '("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1) 3)',
  ],
  [
    'a multipart without parts as one text that spans it',
    'Content-Type: multipart/mixed; boundary=b\r\n\r\na\r\n',
    `(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 ${bare}) "mixed" ("boundary" "b") NIL NIL NIL)`,
    '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1) "mixed")',
  ],
  [
    'a multipart without boundary likewise',
    'Content-Type: multipart/mixed\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==',
    `(("text" "plain" ("charset" "us-ascii") NIL NIL "base64" 4 0 ${bare}) "mixed" NIL NIL NIL NIL)`,
    '(("text" "plain" ("charset" "us-ascii") NIL NIL "base64" 4 0) "mixed")',
  ],
  [
    'an encoded message as octets',
    'Content-Type: message/rfc822; name=a.eml\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==',
    `("application" "octet-stream" ("name" "a.eml") NIL NIL "base64" 4 ${bare})`,
    '("application" "octet-stream" ("name" "a.eml") NIL NIL "base64" 4)',
  ],
  [
    '8-bit and empty fields',
    'Content-Type: text/plain; name="\xe4"\r\nContent-Description:\r\n\r\n',
    `("text" "plain" ("name" {1}\r\n\xe4) NIL "" "7bit" 0 0 ${bare})`,
    '("text" "plain" ("name" {1}\r\n\xe4) NIL "" "7bit" 0 0)',
  ],
];

describe('body structure', () => {
  for (const [name, message, extended, plain] of structures) {
    it(`shows ${name}`, () => {
      const root = tree(message);
      assert.equal(bodyStructure(root).toString('latin1'), extended);
      assert.equal(body(root).toString('latin1'), plain);
      parseWireList(bodyStructure(root));
      parseWireList(body(root));
    });
  }
});

describe('section', () => {
  // RFC 9051 §6.4.5.1's example, in short.
  const message = [
    'Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n1\r\n--a\r\n\r\n2\r\n',
    '--a\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n3.1\r\n--b\r\n\r\n3.2\r\n--b--\r\n',
    '--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n4.1\r\n',
    '--c\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\n--d\r\n\r\n4.2.1\r\n--d\r\n\r\n4.2.2\r\n--d--\r\n--c--\r\n--a--\r\n',
  ].join('');
  const root = tree(message);

  it('names every part of RFC 9051’s example', () => {
    for (const name of ['1', '2', '3.1', '3.2', '4.1', '4.2.1', '4.2.2']) {
      const part = section(root, name.split('.').map(Number));
      assert.equal(part && message.slice(part.body.start, part.body.end), name);
    }
    assert.equal(section(root, []), root);
    assert.equal(section(root, [3])?.kind, 'message');
    assert.equal(section(root, [4, 2])?.kind, 'message');
  });

  it('names nothing that is not there', () => {
    for (const path of [[0], [5], [-1], [1.5], [1, 1], [3, 3], [4, 3], [4, 2, 3], [4, 2, 1, 1]]) {
      assert.equal(section(root, path), undefined, String(path));
    }
  });

  it('takes a message that is no multipart for its own part 1', () => {
    const plain = tree('\r\nx');
    assert.equal(section(plain, [1]), plain);
    assert.equal(section(plain, [2]), undefined);
    assert.equal(section(plain, [1, 1]), undefined);
    const nested = tree('Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny');
    assert.equal(section(nested, [1]), nested);
    assert.equal(section(nested, [1, 1]), nested.children[0]);
    assert.equal(section(nested, [1, 1, 1]), undefined);
  });

  it('knows the part of a multipart that has none', () => {
    const empty = tree('Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n');
    assert.deepEqual(section(empty, [1])?.body, empty.body);
    assert.equal(section(empty, [2]), undefined);
    assert.equal(section(empty, [1, 1]), undefined);
  });
});

describe('whatever the header', () => {
  const words = fc.oneof(
    fc.constantFrom('From', 'To', 'Subject', 'Content-Type', 'Content-Disposition', 'Content-Language', 'Content-ID'),
    fc.constantFrom(
      ': ',
      '\r\n',
      '\r\n ',
      '"',
      '\\',
      '(',
      ')',
      '<',
      '>',
      '@',
      ',',
      ';',
      ':',
      '=',
      '*',
      '*0',
      '*1*',
      '.',
      '[',
      ']',
    ),
    fc.constantFrom('multipart/mixed; boundary=b', 'message/rfc822', 'text', 'name', "utf-8''%41", '=?utf-8?Q?a,b?='),
    fc.constantFrom('\r\n\r\n', '\r\n--b\r\n', '\0', '\r', '\xe4', '\xa0', 'a', ' '),
  );
  const messages = fc.array(words, { maxLength: 50 }).map((list) => list.join(''));
  const { FC_RUNS } = process.env;

  it('the lists are well-formed, and the listed fields give the same envelope', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const root = tree(message);
        const shown = envelope(root.headerOctets);
        assert.equal(parseWireList(shown).length, 10);
        parseWireList(bodyStructure(root));
        parseWireList(body(root));
        assert.deepEqual(envelope(listedFields(root.headerOctets)), shown);
      }),
      { numRuns: Number(FC_RUNS ?? 2_000) },
    );
  });
});
