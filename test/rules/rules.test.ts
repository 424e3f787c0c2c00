/** The checkers of the house rules find what they look for, and only that. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBans, checkFileName } from './bans.ts';
import { checkCycles, checkManifest, checkPackageImports, checkStoreImports, type ImportRules } from './imports.ts';
import {
  checkDependencyList,
  checkDocumentReferences,
  checkLinks,
  checkLockFile,
  checkMachinePaths,
  checkRfcs,
  rfcNumbers,
} from './references.ts';
import { checkFunctionSizes, checkModuleSize } from './sizes.ts';
import { readSource, type Violation } from './source.ts';

const rules: ImportRules = {
  packages: { store: [], net: [], proxy: ['net'] },
  floors: [
    { names: ['index', 'store'] },
    { names: ['upkeep', 'writer'] },
    { names: ['catalog', 'heap'], apart: true },
    { names: ['types'] },
  ],
  faces: { heap: ['heap'] },
  owned: { lmdb: ['packages/store/src/catalog/lmdb-kv'] },
};

const sizes = { moduleLines: 10, testLines: 20, functionLines: 5 };

/** `line: problem` of each violation. */
function found(violations: readonly Violation[]): string[] {
  return violations.map(({ line, problem }) => `${line}: ${problem}`);
}

const inStore = (path: string, text: string): string[] =>
  found(checkStoreImports(readSource(`packages/store/src/${path}`, text), rules));
const between = (path: string, text: string): string[] => found(checkPackageImports(readSource(path, text), rules));
const bansIn = (path: string, text: string): string[] => found(checkBans(readSource(path, text), {}));
const inMail = 'packages/store/src/mail/parts.ts';

test('a source falls apart into code, comments and imports', () => {
  const text = [
    '/** One',
    ' *  two. */',
    "import { a } from './a.ts'; // three",
    "const s = 'not // a comment' + `nor ${call('x') /* four */} here`;",
    "const r = /['\"`/]\\/x/g.test(s) ? 1 / 2 : '//';",
    '// five',
    '// six',
    "export type { B } from './b.ts';",
    "await import('./c.ts');",
    'const said = "import \'./d.ts\'";',
  ].join('\n');
  const source = readSource('x.ts', text);
  assert.deepEqual(source.comments, [
    { text: 'One two.', line: 1 },
    { text: 'three', line: 3 },
    { text: 'four', line: 4 },
    { text: 'five six', line: 6 },
  ]);
  assert.deepEqual(source.imports, [
    { specifier: './a.ts', line: 3 },
    { specifier: './b.ts', line: 8 },
    { specifier: './c.ts', line: 9 },
  ]);
  assert.equal(source.code.length, text.length);
  assert.match(source.code, /^const s = +\+ +call\( +\) +;$/m);
  assert.match(source.code, /^const r = +\.test\(s\) \? 1 \/ 2 : +;$/m);
});

test('an import over several lines and an import for its effects are seen', () => {
  const source = readSource(
    'x.ts',
    "import {\n  a,\n  b,\n} from 'one';\nimport 'two';\nimport c, { d } from 'three';\n",
  );
  assert.deepEqual(source.imports, [
    { specifier: 'one', line: 1 },
    { specifier: 'two', line: 5 },
    { specifier: 'three', line: 6 },
  ]);
});

test('packages are kept apart', () => {
  assert.deepEqual(between('packages/proxy/src/a.ts', "import { x } from '@mstore/net';"), []);
  assert.deepEqual(between('packages/proxy/src/a.ts', "import { x } from '@mstore/store';"), [
    '1: proxy may not import store',
  ]);
  assert.deepEqual(between('packages/unknown/src/a.ts', "import { x } from '@mstore/net';"), [
    '1: unknown may not import net',
  ]);
  assert.deepEqual(between('packages/proxy/src/a.ts', "import { x } from '@mstore/net/internal/tls';"), [
    '1: @mstore/net/internal/tls is for test/: import @mstore/net',
  ]);
  assert.deepEqual(between('test/a.test.ts', "import { x } from '@mstore/net/internal/tls';"), []);
  assert.deepEqual(between('test/a.test.ts', "import { x } from '../packages/net/src/tls.ts';"), [
    "1: reaches packages/net/src/tls.ts by path: use the package's name",
  ]);
});

test('lmdb belongs to one module', () => {
  assert.deepEqual(between('packages/store/src/catalog/lmdb-kv.ts', "import { open } from 'lmdb';"), []);
  assert.deepEqual(between('packages/store/src/catalog/keys.ts', "import { open } from 'lmdb';"), [
    '1: only packages/store/src/catalog/lmdb-kv may import lmdb',
  ]);
});

test('a package.json may list what its package may import', () => {
  const text = (name: string): string => `{ "name": "@mstore/proxy", "dependencies": { "@mstore/${name}": "0.1.0" } }`;
  assert.deepEqual(checkManifest('packages/proxy/package.json', text('net'), rules), []);
  assert.deepEqual(found(checkManifest('packages/proxy/package.json', text('store'), rules)), [
    '1: proxy may not depend on store',
  ]);
  assert.equal(checkManifest('packages/new/package.json', text('net'), rules).length, 1);
});

test('folders of the store import downwards', () => {
  assert.deepEqual(
    inStore('writer/batch.ts', "import { h } from '../heap/heap.ts';\nimport { U } from '../types.ts';"),
    [],
  );
  assert.deepEqual(
    inStore('writer/batch.ts', "import { h } from './intents.ts';\nimport { c } from '../upkeep/compact.ts';"),
    [],
  );
  assert.deepEqual(inStore('heap/heap.ts', "\nimport { b } from '../writer/batch.ts';"), [
    '2: heap may not import writer',
  ]);
  assert.deepEqual(inStore('heap/heap.ts', "import { k } from '../catalog/kv.ts';"), [
    '1: heap may not import catalog',
  ]);
  assert.deepEqual(inStore('types.ts', "import { s } from './store.ts';"), ['1: types may not import store']);
  assert.deepEqual(inStore('attic/box.ts', ''), ['1: attic has no floor in the table']);
});

test('a folder is entered through its face, but for unit tests', () => {
  const reach = "import { f } from '../heap/format.ts';";
  assert.deepEqual(inStore('writer/batch.ts', reach), ['1: heap/format is not a face of heap (heap)']);
  assert.deepEqual(inStore('writer/batch.test.ts', reach), []);
  assert.deepEqual(inStore('heap/reader.ts', "import { f } from './format.ts';"), []);
});

test('an import circle is found, a diamond is none', () => {
  const a = readSource('p/a.ts', "import './b.ts';\nimport './c.ts';");
  const b = readSource('p/b.ts', "import './c.ts';");
  assert.deepEqual(checkCycles([a, b, readSource('p/c.ts', '')]), []);
  const circle = checkCycles([a, b, readSource('p/c.ts', "import type { A } from './a.ts';")]);
  assert.deepEqual(found(circle), ['1: imports itself: p/a.ts → p/b.ts → p/c.ts → p/a.ts']);
});

test('a module is too long past its bound, a test later', () => {
  const lines = (count: number): string => 'x;\n'.repeat(count);
  assert.deepEqual(checkModuleSize(readSource('a.ts', lines(10)), sizes), []);
  assert.deepEqual(found(checkModuleSize(readSource('a.ts', lines(11)), sizes)), ['11: 11 lines; 10 is the bound']);
  assert.deepEqual(checkModuleSize(readSource('a.test.ts', lines(20)), sizes), []);
  assert.equal(checkModuleSize(readSource('a.test.ts', lines(21)), sizes).length, 1);
});

test('functions and methods are measured as the formatter lays them out', () => {
  const measured = (text: string): string[] => found(checkFunctionSizes(readSource('a.ts', text), sizes));
  const body = (indent: string, count: number): string => `${indent}x();\n`.repeat(count);
  assert.deepEqual(measured(`function f(): void {\n${body('  ', 3)}}\n`), []);
  assert.deepEqual(measured(`function f(): void {\n${body('  ', 4)}}\n`), ['1: f: 6 lines; 5 is the bound']);
  assert.deepEqual(measured(`export async function* g({\n  a,\n}: A): B {\n${body('  ', 2)}}\n`), [
    '1: g: 6 lines; 5 is the bound',
  ]);
  assert.deepEqual(measured(`export const h = (a: A): B => {\n${body('  ', 4)}};\n`), [
    '1: h: 6 lines; 5 is the bound',
  ]);
  const method = `class C {\n  async #m(\n    a: A,\n  ): Promise<B> {\n${body('    ', 2)}  }\n\n  get n(): number {\n    return 1;\n  }\n}\n`;
  assert.deepEqual(measured(method), ['2: #m: 6 lines; 5 is the bound']);
  assert.deepEqual(
    measured(`export function contract(): void {\n  test('a', () => {\n${body('    ', 5)}  });\n}\n`),
    [],
  );
  const declared = 'interface I {\n  m(): void;\n  o(\n    a: A,\n  ): void;\n  p: 1;\n  q: 2;\n  r: 3;\n}\n';
  assert.deepEqual(measured(declared), []);
});

test('clocks are read in sys and in tests only', () => {
  assert.deepEqual(bansIn(inMail, 'const t = Date.now();'), ['1: reads the clock: take a Clock']);
  assert.deepEqual(bansIn(inMail, 'const t = new Date();'), ['1: reads the clock: take a Clock']);
  assert.deepEqual(bansIn(inMail, 'const t = new Date(ms); // Date.now()'), []);
  assert.deepEqual(bansIn('packages/store/src/sys/clock.ts', 'const t = Date.now();'), []);
  assert.deepEqual(bansIn('packages/store/src/mail/parts.test.ts', 'const t = Date.now();'), []);
});

test('only the command line prints', () => {
  assert.equal(bansIn(inMail, 'console.log(1);').length, 1);
  assert.deepEqual(bansIn('packages/cli/src/main.ts', 'console.log(1);'), []);
});

test('any, as and ! are found where they are types, and only there', () => {
  assert.deepEqual(bansIn(inMail, 'let a: any;\nlet b: Array<any> = Promise.any([]);'), [
    '1: `any`: say what it is, or `unknown`',
    '2: `any`: say what it is, or `unknown`',
  ]);
  assert.deepEqual(bansIn(inMail, 'const u = n as Uid;'), ['1: `as`: narrow the type instead']);
  assert.deepEqual(bansIn(inMail, "const u = n as 'a' | 'b';"), ['1: `as`: narrow the type instead']);
  assert.deepEqual(bansIn(inMail, "import { a as b } from 'c';\nexport { d as e };\nimport * as f from 'f';"), []);
  assert.deepEqual(bansIn(inMail, "const a = { b: 1 } as const;\n// as any wish\nconst c = 'as any';"), []);
  assert.deepEqual(bansIn(inMail, 'const a = b!.c;'), ['1: `!`: check for undefined']);
  assert.deepEqual(bansIn(inMail, 'if (!a || b !== c || !!d) e(!f);'), []);
  assert.deepEqual(bansIn('packages/store/src/codec/bytes.ts', 'const a = octets[at]!;'), []);
  assert.deepEqual(bansIn('packages/store/src/codec/bytes.ts', 'const a = map.get(b)!;'), [
    '1: `!` on something else than an index',
  ]);
  assert.deepEqual(bansIn('packages/store/src/mail/parts.test.ts', 'const a = rows[0]! as Uid;'), []);
});

test('enums, default exports, barrels, empty names and marks are found', () => {
  assert.equal(bansIn(inMail, 'export enum Flag { a }').length, 1);
  assert.equal(bansIn(inMail, 'const enum Flag { a }').length, 1);
  assert.equal(bansIn(inMail, 'export default class {}').length, 1);
  assert.equal(bansIn(inMail, 'export { a as default };').length, 1);
  assert.equal(bansIn(inMail, "export * from './parts.ts';").length, 1);
  assert.equal(bansIn(inMail, 'class PartManager {}').length, 1);
  assert.equal(bansIn(inMail, 'function handleFetch() {}').length, 1);
  assert.equal(bansIn(inMail, '// TO' + 'DO: later').length, 1);
  assert.deepEqual(bansIn(inMail, "const s = 'TO" + "DO';\nconst enumerated = 1;"), []);
});

test('an exception covers its line and no other', () => {
  const source = readSource('packages/store/src/types.ts', 'return value as T;\nreturn value as Uid;\n');
  const exceptions = { 'packages/store/src/types.ts': ['return value as T;'] };
  assert.deepEqual(found(checkBans(source, exceptions)), ['2: `as`: narrow the type instead']);
});

test('file names are kebab-case', () => {
  for (const name of ['a.ts', 'index-chunk.test.ts', 'fs-ext.d.ts', 'run.mjs'])
    assert.deepEqual(checkFileName(`p/${name}`), []);
  for (const name of ['Heap.ts', 'line_reader.ts', 'aB.test.ts']) assert.equal(checkFileName(`p/${name}`).length, 1);
});

test('links of a document are followed, code is not', () => {
  const exists = (path: string): boolean => path === 'docs/here.md';
  const links = (text: string): string[] => found(checkLinks({ path: 'docs/a.md', text }, exists));
  assert.deepEqual(
    links('[a](here.md#top) [b](https://example.org) [c](#d) `[e](gone.md)`\n```\n[f](gone.md)\n```\n'),
    [],
  );
  assert.deepEqual(links('\n[a](gone.md "title")\n'), ['2: links to gone.md, which is not there']);
  assert.deepEqual(links('[a]: ../out/gone.md\n'), ['1: links to ../out/gone.md, which is not there']);
});

test('a document that a comment names must exist', () => {
  const source = readSource('a.ts', '/** See docs/format/heap.md, docs/format. */\n// And docs/gone.md.\n');
  const exists = (path: string): boolean => path.startsWith('docs/format');
  assert.deepEqual(found(checkDocumentReferences(source, exists)), ['2: names docs/gone.md, which is not there']);
});

test('an RFC is named in one way and listed', () => {
  const listed = rfcNumbers('| RFC 9051 | IMAP |');
  const mentions = (text: string): string[] => found(checkRfcs('a.ts', [{ text, line: 1 }], listed));
  assert.deepEqual(mentions('RFC 9051 §6.4.6; the RFCs, an RFC'), []);
  assert.deepEqual(mentions('RFC9051'), ['1: write RFC nnnn, not RFC9051']);
  assert.deepEqual(mentions('rfc-9051'), ['1: write RFC nnnn, not rfc-9051']);
  assert.deepEqual(mentions('RFC 90510'), ['1: write RFC nnnn, not RFC 90510']);
  assert.deepEqual(mentions('RFC 1'), ['1: RFC 1 is not in docs/protocols/rfcs.md']);
});

test('paths of one machine are found, those of any system are not', () => {
  const paths = (path: string, text: string): string[] => found(checkMachinePaths({ path, text }, '/srv/checkout'));
  const home = ['', 'root', 'mail'].join('/');
  const beside = ['..', 'shared', 'corpus'].join('/');
  assert.equal(paths('a.md', `see ${home}`).length, 1);
  assert.equal(paths('a.md', `see ${beside}`).length, 1);
  assert.equal(paths('a.md', 'in /srv/checkout/a').length, 1);
  assert.deepEqual(paths('test/support/corpus.ts', `see ${beside}`), []);
  assert.deepEqual(paths('a.md', 'in /var/lib/mstore, /etc/mstore or /home/anna/Maildir; the mailbox Work/root/a'), []);
});

test('a lock file names no host and no platform less than its packages do', () => {
  const lock = (place: string, more: string): string =>
    `{\n  "packages": {\n    "node_modules/a": {\n      "optionalDependencies": {\n        "a-linux": "1.0.0"\n      }\n    },\n    "node_modules/${place}": {\n      ${more}\n    }\n  }\n}\n`;
  assert.deepEqual(checkLockFile('l', lock('a-linux', '"version": "1.0.0"')), []);
  assert.equal(checkLockFile('l', lock('b', '"version": "1.0.0"')).length, 1);
  assert.equal(checkLockFile('l', lock('a-linux', '"resolved": "https://example.org/a.tgz"')).length, 1);
});

test('the list of dependencies matches what is pinned', () => {
  const manifest = { path: 'p', text: '{ "dependencies": { "@mstore/net": "0.1.0", "zod": "4.0.0" }, "other": {} }' };
  const check = (text: string): string[] => found(checkDependencyList({ path: 'l', text }, [manifest]));
  assert.deepEqual(check('| zod | 4.0.0 | store | why |'), []);
  assert.deepEqual(check('| zod | 3.0.0 | store | why |'), [
    '1: has no line for zod 4.0.0',
    '1: lists zod 3.0.0, which no package pins',
  ]);
});
