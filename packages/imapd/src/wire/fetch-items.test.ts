import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decoder } from './decoder.ts';
import { expectFetchArguments, expectStoreArguments, type FetchItem } from './fetch-items.ts';
import { accepted, refused } from './support.test.ts';

const names = (text: string): string[] => items(text).map((item) => (item.kind === 'plain' ? item.name : item.kind));

function items(text: string): readonly FetchItem[] {
  return accepted(`1 ${text}`, expectFetchArguments).items;
}

function only(text: string): FetchItem {
  const [item, ...others] = items(text);
  assert.ok(item !== undefined && others.length === 0);
  return item;
}

test('macros are what RFC 9051 says they are, and stand alone', () => {
  assert.deepEqual(names('fast'), ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE']);
  assert.deepEqual(names('ALL'), ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE']);
  assert.deepEqual(names('FULL'), ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY']);
  refused('1 (ALL)', expectFetchArguments);
  refused('1 ALL FLAGS', expectFetchArguments);
});

test('items come one without parentheses or several within', () => {
  assert.deepEqual(names('FLAGS'), ['FLAGS']);
  assert.deepEqual(names('(uid flags body BodyStructure modseq emailid threadid)'), [
    'UID',
    'FLAGS',
    'BODY',
    'BODYSTRUCTURE',
    'MODSEQ',
    'EMAILID',
    'THREADID',
  ]);
  for (const wrong of ['', '()', '(FLAGS', 'FLAGS UID', 'FLAGSX', '(FLAGS  UID)', 'BODY.PEEK', 'BINARY', 'FLAGS[1]']) {
    refused(`1 ${wrong}`, expectFetchArguments);
  }
});

test('sections name parts, headers and texts', () => {
  const section = (text: string): unknown => {
    const item = only(`BODY[${text}]`);
    assert.ok(item.kind === 'section');
    return item.section;
  };
  assert.deepEqual(section(''), { part: [], text: 'all', fields: [] });
  assert.deepEqual(section('1'), { part: [1], text: 'all', fields: [] });
  assert.deepEqual(section('1.20.3'), { part: [1, 20, 3], text: 'all', fields: [] });
  assert.deepEqual(section('TEXT'), { part: [], text: 'text', fields: [] });
  assert.deepEqual(section('2.mime'), { part: [2], text: 'mime', fields: [] });
  assert.deepEqual(section('2.HEADER'), { part: [2], text: 'header', fields: [] });
  assert.deepEqual(section('HEADER.FIELDS (From "To" {2}\r\nCc)'), {
    part: [],
    text: 'headerFields',
    fields: ['From', 'To', 'Cc'],
  });
  assert.deepEqual(section('1.2.header.fields.not (X-Spam)'), {
    part: [1, 2],
    text: 'headerFieldsNot',
    fields: ['X-Spam'],
  });
  const wrong = [
    '0',
    '1.',
    '.1',
    '1..2',
    '01',
    'MIME',
    '1.0',
    'FOO',
    '1.FOO',
    'HEADER.FIELDS',
    'HEADER.FIELDS ()',
    'TEXT.1',
  ];
  for (const text of [...wrong, '1 TEXT', '99999999999', `1${'.1'.repeat(100)}`, 'HEADER.FIELDS ("a b")', '1HEADER']) {
    refused(`1 BODY[${text}]`, expectFetchArguments);
  }
});

test('a section may be a range of octets, and may leave \\Seen alone', () => {
  const item = only('BODY.PEEK[1]<100.2000>');
  assert.ok(item.kind === 'section');
  assert.deepEqual(item.partial, { offset: 100, bytes: 2_000 });
  assert.equal(item.isPeek, true);
  for (const wrong of ['<0.0>', '<0>', '<.5>', '<-1.5>', '<1.2', '<1.2.3>', '<9999999999999999.1>']) {
    refused(`1 BODY[]${wrong}`, expectFetchArguments);
  }
});

test('the names of IMAP4rev1 and BINARY are understood', () => {
  assert.deepEqual(only('RFC822'), {
    kind: 'section',
    as: 'RFC822',
    section: { part: [], text: 'all', fields: [] },
    partial: undefined,
    isPeek: false,
  });
  const header = only('RFC822.HEADER');
  assert.ok(header.kind === 'section' && header.isPeek && header.section.text === 'header');
  assert.deepEqual(names('RFC822.SIZE'), ['RFC822.SIZE']);
  assert.deepEqual(only('BINARY.PEEK[1.2]<0.5>'), {
    kind: 'binary',
    part: [1, 2],
    partial: { offset: 0, bytes: 5 },
    isPeek: true,
  });
  assert.deepEqual(only('BINARY.SIZE[]'), { kind: 'binarySize', part: [] });
  refused('1 BINARY[TEXT]', expectFetchArguments);
});

test('modifiers stand behind the items', () => {
  const modifiers = (text: string): unknown => {
    const { changedSince, vanished } = accepted(text, expectFetchArguments);
    return { changedSince, vanished };
  };
  assert.deepEqual(modifiers('1:* FLAGS'), { changedSince: undefined, vanished: false });
  assert.deepEqual(modifiers('$ (FLAGS) (CHANGEDSINCE 12345)'), { changedSince: 12_345, vanished: false });
  assert.deepEqual(modifiers('1:* FLAGS (changedsince 1 vanished)'), { changedSince: 1, vanished: true });
  for (const wrong of ['(VANISHED)', '()', '(CHANGEDSINCE)', '(CHANGEDSINCE 0)', 'CHANGEDSINCE 1', '(FOO)']) {
    refused(`1 FLAGS ${wrong}`, expectFetchArguments);
  }
});

test('STORE says what happens to which flags', () => {
  assert.deepEqual(
    { ...accepted('1 +FLAGS (\\Seen $Label1)', expectStoreArguments), messages: undefined },
    {
      messages: undefined,
      mode: 'add',
      isSilent: false,
      flags: ['\\Seen', '$Label1'],
      unchangedSince: undefined,
    },
  );
  const store = (text: string): string => {
    const { mode, isSilent, flags, unchangedSince } = accepted(`1 ${text}`, expectStoreArguments);
    return `${mode} ${isSilent} ${flags.join()} ${unchangedSince}`;
  };
  assert.equal(store('-flags.silent \\Deleted'), 'remove true \\Deleted undefined');
  assert.equal(store('FLAGS ()'), 'replace false  undefined');
  assert.equal(store('FLAGS a b'), 'replace false a,b undefined');
  assert.equal(store('(UNCHANGEDSINCE 0) FLAGS (a)'), 'replace false a 0');
  // MODSEQs have 63 bits, and none of ours has more than 53.
  const most = '9007199254740991';
  for (const modSeq of [most, '9007199254740992', '9223372036854775807']) {
    assert.equal(store(`(UNCHANGEDSINCE ${modSeq}) FLAGS (a)`), `replace false a ${most}`);
  }
  const wrong = [
    'FLAGS',
    '++FLAGS (a)',
    'FLAG (a)',
    '+ FLAGS (a)',
    'FLAGS (\\)',
    'FLAGS (\\*)',
    'FLAGS (a',
    '(UNCHANGEDSINCE) FLAGS (a)',
    '(UNCHANGEDSINCE -1) FLAGS (a)',
    '(UNCHANGEDSINCE 9223372036854775808) FLAGS (a)',
    `(UNCHANGEDSINCE ${'9'.repeat(5_000)}) FLAGS (a)`,
  ];
  for (const text of wrong) refused(`1 ${text}`, (decoder: Decoder) => expectStoreArguments(decoder));
});
