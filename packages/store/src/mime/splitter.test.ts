import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { limits } from '../limits.ts';
import type { Entity, SplitSink } from './entity.ts';
import { Splitter } from './splitter.ts';
import { countLines, Recorder, splitSkipping } from './support.test.ts';

function split(message: Buffer | string, cut: (left: number) => number = (left) => left) {
  const octets = typeof message === 'string' ? Buffer.from(message, 'latin1') : message;
  const recorder = new Recorder();
  const splitter = new Splitter(recorder);
  for (let at = 0; at < octets.length; ) {
    const next = Math.min(octets.length, at + Math.max(1, cut(octets.length - at)));
    splitter.push(Buffer.from(octets.subarray(at, next)));
    at = next;
  }
  const root = splitter.end();
  assert.ok(recorder.octets.equals(octets), 'octets differ');
  return { root, pieces: recorder.pieces };
}

/** The tree in short: type, header and body as text, children. */
function outline(message: string, entity: Entity): unknown {
  const text = (span: { start: number; end: number }) => message.slice(span.start, span.end);
  const name = `${entity.kind} ${entity.type}/${entity.subtype}`;
  return entity.kind === 'leaf'
    ? [name, text(entity.header), text(entity.body)]
    : [name, ...entity.children.map((child) => outline(message, child))];
}

/** Checks what holds for every tree. */
function checkTree(octets: Buffer, entity: Entity, within = { start: 0, end: octets.length }): number {
  const { header, body } = entity;
  assert.ok(within.start <= header.start && header.start <= header.end, 'header outside its parent');
  assert.equal(header.end, body.start);
  assert.ok(body.start <= body.end && body.end <= within.end, 'body outside its parent');
  assert.ok(entity.headerOctets.equals(octets.subarray(header.start, header.end)));
  assert.equal(entity.bodyLines, countLines(octets.subarray(body.start, body.end)));
  if (entity.kind === 'leaf') assert.equal(entity.children.length, 0);
  if (entity.kind === 'message') assert.equal(entity.children.length, 1);
  let count = 1;
  let at = body.start;
  for (const child of entity.children) {
    count += checkTree(octets, child, { start: at, end: body.end });
    at = child.body.end;
  }
  return count;
}

const mixed = (boundary: string) => `Content-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n`;

const cases: readonly (readonly [string, string, unknown])[] = [
  ['an empty message is an empty leaf', '', ['leaf text/plain', '', '']],
  ['a message may be all header', 'A: b\r\nC: d', ['leaf text/plain', 'A: b\r\nC: d', '']],
  ['a message may have no header', '\r\nbody', ['leaf text/plain', '\r\n', 'body']],
  ['a header may end the message with its blank line', 'A: b\r\n\r\n', ['leaf text/plain', 'A: b\r\n\r\n', '']],
  [
    'lines without colon stay in the header up to the blank line',
    ' x\r\nfoo\r\nA: b\r\n\r\nbody',
    ['leaf text/plain', ' x\r\nfoo\r\nA: b\r\n\r\n', 'body'],
  ],
  [
    'a line of blanks ends no header',
    'A: b\r\n \r\nC: d\r\n\r\nx',
    ['leaf text/plain', 'A: b\r\n \r\nC: d\r\n\r\n', 'x'],
  ],
  ['a bare CR ends no line', 'A: b\r\r\r\nC: d\r\n\r\nx\ry', ['leaf text/plain', 'A: b\r\r\r\nC: d\r\n\r\n', 'x\ry']],
  [
    'line ends before delimiters are the delimiters’',
    `${mixed('b')}pre\r\n--b\r\n\r\none\r\n\r\n--b \t\r\nX: y\r\n\r\ntwo\r\n--b--\r\nepi\r\n`,
    ['multipart multipart/mixed', ['leaf text/plain', '\r\n', 'one\r\n'], ['leaf text/plain', 'X: y\r\n\r\n', 'two']],
  ],
  [
    'the first delimiter may stand at the body’s start, the last at the end of input',
    `${mixed('b')}--b\r\n\r\none\r\n--b--`,
    ['multipart multipart/mixed', ['leaf text/plain', '\r\n', 'one']],
  ],
  [
    'a delimiter without line end opens a part at the end of input',
    `${mixed('b')}--b\r\n\r\none\r\n--b`,
    ['multipart multipart/mixed', ['leaf text/plain', '\r\n', 'one'], ['leaf text/plain', '', '']],
  ],
  [
    'the end boundary may be missing',
    `${mixed('b')}--b\r\n\r\none\r\n`,
    ['multipart multipart/mixed', ['leaf text/plain', '\r\n', 'one\r\n']],
  ],
  ['a multipart may have no delimiter', `${mixed('b')}text\r\n--c\r\n`, ['multipart multipart/mixed']],
  [
    'a multipart without boundary is a leaf',
    'Content-Type: multipart/mixed\r\n\r\n--\r\nx\r\n----\r\n',
    ['leaf multipart/mixed', 'Content-Type: multipart/mixed\r\n\r\n', '--\r\nx\r\n----\r\n'],
  ],
  [
    'an empty boundary is none',
    'Content-Type: multipart/mixed; boundary="  "\r\n\r\n--\r\n\r\nx',
    ['leaf multipart/mixed', 'Content-Type: multipart/mixed; boundary="  "\r\n\r\n', '--\r\n\r\nx'],
  ],
  [
    'a part may have neither header nor body',
    `${mixed('b')}--b\r\n--b\r\n--b--\r\n`,
    ['multipart multipart/mixed', ['leaf text/plain', '', ''], ['leaf text/plain', '', '']],
  ],
  [
    'a delimiter ends a header that has no blank line',
    `${mixed('b')}--b\r\nContent-Type: text/html\r\n--b\r\nA: b\r\n\r\n--b--`,
    [
      'multipart multipart/mixed',
      ['leaf text/html', 'Content-Type: text/html', ''],
      ['leaf text/plain', 'A: b\r\n\r\n', ''],
    ],
  ],
  [
    'the whole line has to match',
    `${mixed('abc')}--abcdef\r\n\r\n--abc\r\n${mixed('abcdef')}--abcdef\r\n\r\none\r\n--ab\r\n--abcdefg\r\n--abc\r\n\r\ntwo\r\n--abc-- x\r\n--abc--\r\n`,
    [
      'multipart multipart/mixed',
      ['multipart multipart/mixed', ['leaf text/plain', '\r\n', 'one\r\n--ab\r\n--abcdefg']],
      ['leaf text/plain', '\r\n', 'two\r\n--abc-- x'],
    ],
  ],
  [
    'a boundary may look like another’s end',
    `${mixed('b')}--b\r\n${mixed('b--')}--b--\r\n\r\none\r\n--b----\r\n--b\r\n\r\ntwo\r\n--b--\r\n`,
    [
      'multipart multipart/mixed',
      ['multipart multipart/mixed', ['leaf text/plain', '\r\n', 'one']],
      ['leaf text/plain', '\r\n', 'two'],
    ],
  ],
  [
    'an outer delimiter ends inner multiparts and messages',
    `${mixed('a')}--a\r\n${mixed('b')}--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n${mixed('c')}--c\r\n\r\none\r\n--a\r\n\r\ntwo\r\n--b--\r\n--a--`,
    [
      'multipart multipart/mixed',
      [
        'multipart multipart/mixed',
        ['message message/rfc822', ['multipart multipart/mixed', ['leaf text/plain', '\r\n', 'one']]],
      ],
      ['leaf text/plain', '\r\n', 'two\r\n--b--'],
    ],
  ],
  [
    'of two levels with the same boundary the inner one is meant first',
    `${mixed('b')}--b\r\n${mixed('b')}--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--`,
    [
      'multipart multipart/mixed',
      ['multipart multipart/mixed', ['leaf text/plain', '\r\n', 'one']],
      ['leaf text/plain', '\r\n', 'two'],
    ],
  ],
  [
    'an epilogue holds no parts of its multipart',
    `${mixed('b')}--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n`,
    ['multipart multipart/mixed', ['leaf text/plain', '\r\n', 'one']],
  ],
  [
    'a boundary may come in segments',
    'Content-Type: multipart/mixed;\r\n boundary*1="cd";\r\n boundary*0=ab\r\n\r\n--abcd\r\n\r\none\r\n--abcd--',
    ['multipart multipart/mixed', ['leaf text/plain', '\r\n', 'one']],
  ],
  [
    'a digest’s parts are messages unless they say otherwise',
    'Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\none\r\n--b\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--b\r\n--b--',
    [
      'multipart multipart/digest',
      ['message message/rfc822', ['leaf text/plain', 'Subject: x\r\n\r\n', 'one']],
      ['leaf text/plain', 'Content-Type: text/plain\r\n\r\n', 'two'],
      ['message message/rfc822', ['leaf text/plain', '', '']],
    ],
  ],
  [
    'an encoded message is a leaf',
    'Content-Type: message/rfc822\r\nContent-Transfer-Encoding: BASE64\r\n\r\nQTogYg==',
    ['leaf message/rfc822', 'Content-Type: message/rfc822\r\nContent-Transfer-Encoding: BASE64\r\n\r\n', 'QTogYg=='],
  ],
  [
    'messages nest, down to nothing',
    'Content-Type: message/rfc822\r\n\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\n',
    ['message message/rfc822', ['message message/global', ['leaf text/plain', '', '']]],
  ],
  [
    'a stray CR before a delimiter’s line end does no harm',
    `${mixed('b')}--b\r\r\n\r\none\r\r\n--b--\r\r\n`,
    ['multipart multipart/mixed', ['leaf text/plain', '\r\n', 'one\r']],
  ],
  [
    'NUL and 8-bit are content like any other',
    `${mixed('b')}--b\r\n\r\n\0\xff\r\n--\0b\r\n--b--`,
    ['multipart multipart/mixed', ['leaf text/plain', '\r\n', '\0\xff\r\n--\0b']],
  ],
  [
    'an unreadable type is text/plain',
    'Content-Type: ;;\r\n\r\nx',
    ['leaf text/plain', 'Content-Type: ;;\r\n\r\n', 'x'],
  ],
];

describe('splitter', () => {
  for (const [name, message, expected] of cases) {
    it(name, () => {
      const octets = Buffer.from(message, 'latin1');
      const { root, pieces } = split(octets);
      assert.deepEqual(outline(message, root), expected);
      checkTree(octets, root);
      assert.deepEqual(
        split(octets, () => 1),
        { root, pieces },
      );
      assert.deepEqual(
        splitSkipping(pieces, (length) => length),
        root,
      );
      for (let n = 1; n < 10; n++)
        assert.deepEqual(
          splitSkipping(pieces, () => n),
          root,
        );
    });
  }

  it('takes the line end of an inner close-delimiter for the outer delimiter', () => {
    const message = `${mixed('a')}--a\r\n${mixed('b')}--b\r\n\r\none\r\n--b--\r\n--a--\r\n`;
    const inner = split(message).root.children[0];
    assert.ok(inner);
    assert.equal(message.slice(inner.body.start, inner.body.end), '--b\r\n\r\none\r\n--b--');
    assert.equal(inner.bodyLines, 3);
  });

  it('announces each run with its entity’s encoding, and preamble and epilogue as 7bit', () => {
    const message = `${mixed('b')}pre\r\n--b\r\nContent-Transfer-Encoding: Base64 (x)\r\n\r\nQQ==\r\n--b\r\n\r\n\r\n--b--\r\nepi`;
    const runs = split(message).pieces.filter(({ kind }) => kind === 'content');
    assert.deepEqual(
      runs.map(({ encoding, octets }) => [encoding, octets.toString('latin1')]),
      [
        ['7bit', 'pre'],
        ['base64', 'QQ=='],
        ['7bit', 'epi'],
      ],
    );
  });

  it('holds back no more than a delimiter’s beginning', () => {
    const recorder = new Recorder();
    const splitter = new Splitter(recorder);
    const text = `${mixed('b')}--b\r\n\r\nsome text`;
    splitter.push(Buffer.from(`${text}\r\n-`));
    assert.equal(recorder.octets.toString(), text);
    splitter.push(Buffer.from(`-${'x'.repeat(2000)}`));
    assert.equal(recorder.octets.length, text.length + 4 + 2000);
  });
});

describe('splitter at its limits', () => {
  /** Splits whole, in slices and with content skipped, and wants the same each time. */
  function splitAlike(message: string) {
    const octets = Buffer.from(message, 'latin1');
    const { root, pieces } = split(octets);
    checkTree(octets, root);
    for (const slice of [1_000, 65_521])
      assert.deepEqual(
        split(octets, () => slice),
        { root, pieces },
      );
    assert.deepEqual(
      splitSkipping(pieces, (length) => length),
      root,
    );
    assert.deepEqual(
      splitSkipping(pieces, () => 1),
      root,
    );
    return { root, pieces };
  }

  it('cuts a header that is too long at a line end, and makes a leaf of the rest', () => {
    const line = `X: ${'y'.repeat(95)}\r\n`;
    const type = mixed('b');
    const full = type.slice(0, -2) + line.repeat(Math.floor((limits.headerBytes - type.length) / 100));
    const pad = `Z: ${'z'.repeat(limits.headerBytes - full.length - 7)}\r\n`;
    const fits = splitAlike(`${full}${pad}\r\n--b\r\n\r\none\r\n--b--`).root;
    assert.equal(fits.header.end, limits.headerBytes);
    assert.equal(fits.kind, 'multipart');
    const over = splitAlike(`${full}z${pad}\r\n--b\r\n\r\none\r\n--b--`).root;
    assert.equal(over.kind, 'leaf');
    assert.equal(over.type, 'multipart');
    // The last field still fits, its blank line does not.
    assert.equal(over.header.end, limits.headerBytes - 1);
  });

  it('takes a single endless line for content', () => {
    const { root } = splitAlike('x'.repeat(limits.headerBytes + 1));
    assert.deepEqual([root.kind, root.header.end, root.body.end], ['leaf', 0, limits.headerBytes + 1]);
    assert.equal(splitAlike('x'.repeat(limits.headerBytes)).root.body.start, limits.headerBytes);
  });

  it('recognises no delimiter beyond the octets for part headers', () => {
    const part = `--b\r\nX: ${'y'.repeat(9_984)}\r\n\r\n\r\n`;
    const { root } = splitAlike(`${mixed('b')}${part.repeat(200)}--b--\r\n`);
    const per = part.length;
    assert.equal(root.children.length, Math.ceil(limits.headerBytes / per));
    const last = root.children.at(-1);
    assert.equal(last?.header.start, last?.header.end);
    assert.equal(last?.body.end, root.body.end);
  });

  it('makes no more entities than allowed, and still finds the end', () => {
    const part = '--b\r\n\r\nx\r\n';
    const atLimit = splitAlike(`${mixed('b')}${part.repeat(limits.mimeParts - 1)}--b--\r\nepi`).root;
    assert.equal(atLimit.children.length, limits.mimeParts - 1);
    assert.equal(atLimit.children.at(-1)?.bodyLines, 0);
    const past = splitAlike(`${mixed('b')}${part.repeat(limits.mimeParts + 5)}--b--\r\nepi`).root;
    assert.equal(past.children.length, limits.mimeParts - 1);
    assert.equal(past.children.at(-1)?.bodyLines, 18);
  });

  it('nests no deeper than allowed', () => {
    const levels = limits.mimeDepth + 3;
    let message = '';
    for (let level = 0; level < levels; level++) message += `${mixed(`b${level}`)}--b${level}\r\n`;
    let depth = 0;
    let entity: Entity | undefined = splitAlike(message).root;
    for (; entity?.kind === 'multipart'; entity = entity.children[0]) depth++;
    assert.equal(depth, limits.mimeDepth);
    assert.equal(entity?.kind, 'leaf');
    const messages = splitAlike('Content-Type: message/rfc822\r\n\r\n'.repeat(levels)).root;
    depth = 0;
    for (entity = messages; entity?.kind === 'message'; entity = entity.children[0]) depth++;
    assert.equal(depth, limits.mimeDepth);
  });

  it('takes lines beyond 998 octets for content', () => {
    const blanks = ' '.repeat(998 - 5);
    const message = `${mixed('b')}--b\r\n\r\none\r\n--b-- ${blanks}\r\ntwo\r\n--b--${blanks}\r\n`;
    const part = splitAlike(message).root.children[0];
    assert.equal(part && message.slice(part.body.start, part.body.end), `one\r\n--b-- ${blanks}\r\ntwo`);
  });

  it('stays linear on hostile input', () => {
    const open = Array.from({ length: 99 }, (_, level) => `${mixed(`b${level}`)}--b${level}\r\n`).join('');
    const hostile: readonly [string, string][] = [
      ['dashes', `${open}\r\n${'--\r\n'.repeat(262_144)}`],
      ['line ends', `${open}\r\n${'\r\n'.repeat(524_288)}`],
      ['close look-alikes', `${open}\r\n${'--b--x\r\n'.repeat(131_072)}`],
      ['empty parts', `${mixed('b')}${'--b\r\n'.repeat(200_000)}`],
      ['parts without blank line', `${mixed('b')}${'--b\r\nA: b\r\n'.repeat(100_000)}`],
      ['header of dashes', `${open}${'--\r\n'.repeat(262_144)}`],
      ['header of colons', ':\r\n'.repeat(349_525)],
      ['header without colons', 'x\r\n'.repeat(349_525)],
      ['long lines of dashes', `${open}\r\n${`--${'-'.repeat(900)}\r\n`.repeat(1_200)}`],
    ];
    for (const [name, text] of hostile) {
      const octets = Buffer.from(text);
      for (const slice of [octets.length, 4_096, 61]) {
        const sink: SplitSink = { structure() {}, contentStart() {}, content() {}, contentEnd() {} };
        const started = process.hrtime.bigint();
        const splitter = new Splitter(sink);
        for (let at = 0; at < octets.length; at += slice) splitter.push(octets.subarray(at, at + slice));
        splitter.end();
        const ms = Number(process.hrtime.bigint() - started) / 1e6;
        assert.ok(ms < 2_000, `${name} in slices of ${slice}: ${ms} ms`);
      }
    }
  });
});

describe('splitter, whatever the input', () => {
  /** Pieces that make messages which nearly are multiparts. */
  const words = fc.constantFrom(
    '--b',
    '--b--',
    '--bc',
    '--bc--',
    '--c',
    '\r\n',
    '\r\n',
    '\r\n\r\n',
    '\r',
    '-',
    ' ',
    '\t',
    'text',
    'Content-Type: multipart/mixed; boundary=b\r\n',
    'Content-Type: multipart/digest; boundary="bc"\r\n',
    'Content-Type: multipart/mixed; boundary=c\r\n\r\n',
    'Content-Type: message/rfc822\r\n\r\n',
    'Content-Transfer-Encoding: base64\r\n',
    'Subject: x\r\n',
    ': ',
    '\0',
    '\xe9',
    '\n',
  );
  const messages = fc.array(words, { maxLength: 60 }).map((list) => Buffer.from(list.join(''), 'latin1'));
  const { FC_RUNS } = process.env;
  const runs = Number(FC_RUNS ?? 2_000);

  it('cuts of the input change nothing', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (octets, cuts) => {
        const { root, pieces } = split(octets);
        checkTree(octets, root);
        let turn = 0;
        assert.deepEqual(
          split(octets, () => cuts[turn++ % cuts.length] ?? 1),
          { root, pieces },
        );
        assert.deepEqual(
          split(octets, () => 1),
          { root, pieces },
        );
      }),
      { numRuns: runs },
    );
  });

  it('skipped content changes nothing', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(12), { minLength: 1 }), (octets, prefixes) => {
        const { root, pieces } = split(octets);
        let turn = 0;
        assert.deepEqual(
          splitSkipping(pieces, (length) => length),
          root,
        );
        const next = () => prefixes[turn++ % prefixes.length] ?? 0;
        assert.deepEqual(splitSkipping(pieces, next), root);
        const middle = (length: number): [number, number] => {
          const from = Math.min(length, next());
          return [from, from + next()];
        };
        assert.deepEqual(splitSkipping(pieces, middle), root);
      }),
      { numRuns: runs },
    );
  });
});
