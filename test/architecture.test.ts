/**
 * The house rules as tests. The tables say what the rules are; `test/rules/` says how they are looked for. To change a rule,
 * change its row here and say why in the commit (CONTRIBUTING.md).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBans, checkFileName, type Exceptions } from './rules/bans.ts';
import {
  checkCycles,
  checkManifest,
  checkPackageImports,
  checkStoreImports,
  type ImportRules,
} from './rules/imports.ts';
import {
  checkDependencyList,
  checkDocumentReferences,
  checkLinks,
  checkLockFile,
  checkMachinePaths,
  checkRfcs,
  rfcNumbers,
} from './rules/references.ts';
import { checkFunctionSizes, checkModuleSize, type SizeRules } from './rules/sizes.ts';
import { readSource, type Source, type Violation, violationText } from './rules/source.ts';
import { filesBelow, inRepository, readRepositoryFile, repositoryRoot } from './support/repository.ts';

const importRules: ImportRules = {
  packages: {
    store: [],
    net: [],
    directory: [],
    lda: ['store', 'net', 'directory'],
    access: ['store', 'net', 'directory'],
    pop3d: ['store', 'net', 'directory', 'access'],
    imapd: ['store', 'net', 'directory', 'access'],
    proxy: ['net', 'directory'],
    cli: ['store', 'net', 'directory', 'lda', 'pop3d', 'imapd', 'proxy'],
  },
  floors: [
    { names: ['index', 'work', 'repair', 'store', 'config'] },
    { names: ['upkeep', 'writer'] },
    { names: ['mail'] },
    { names: ['log'] },
    { names: ['catalog', 'heap'], apart: true },
    { names: ['mime', 'sys', 'codec'] },
    { names: ['types', 'limits', 'errors'] },
  ],
  faces: {
    heap: ['heap', 'location', 'survey'],
    // The log speaks the catalog's rows; how they become octets is the catalog's own but for one codec.
    catalog: [
      'catalog',
      'earlier-format',
      'position',
      'schema',
      'kv',
      'rows',
      'row-codecs',
      'index-chunk',
      'message-row',
      'uid-pages',
      'due',
      'write-set',
      'keys',
      'generations',
      'lmdb-kv',
    ],
  },
  owned: {
    lmdb: ['packages/store/src/catalog/lmdb-environment'],
    'fs-ext': ['packages/store/src/sys/'],
    pino: ['packages/net/src/log'],
    'prom-client': ['packages/net/src/metrics'],
    // Tests make files that our own code would not.
    'better-sqlite3': [
      'packages/directory/src/sqlite-',
      'packages/directory/src/sqlite.test',
      'packages/directory/src/administration.test',
    ],
    bcrypt: ['packages/directory/src/password/'],
    '@node-rs/argon2': ['packages/directory/src/password/'],
  },
};

const sizeRules: SizeRules = { moduleLines: 400, testLines: 800, functionLines: 70 };

const exceptions: Exceptions = {
  // The maker of all branded numbers.
  'packages/store/src/types.ts': ['return value as T;'],
  // The maker of user ids.
  'packages/directory/src/types.ts': ['return value as UserId;'],
  // A change is put through the table whose codec it carries, which is checked in the line before.
  'packages/store/src/catalog/write-set.ts': ['return change.row as Row | undefined;'],
  // What the writer of the same release sends over its own socket.
  'packages/store/src/writer/client.ts': [
    'resolve: (answer) => resolve(answer as Answer)',
    'this.#tell(decodeValue(payload) as readonly Change[])',
    'const refusal = value as Refusal;',
  ],
  // Dropping undefined members is what the type says.
  'packages/store/src/writer/operations.ts': ['as never;'],
};

/** Documents that comments and pages name before they are written; a line that is no longer needed fails the run. */
const unwritten = new Set<string>();

const files = filesBelow('');
const read = (path: string): Source => readSource(path, readRepositoryFile(path));
const sources = files.filter((path) => /^(?:packages|test)\/.*\.ts$/.test(path)).map(read);
const scripts = files.filter((path) => path.endsWith('.mjs')).map(read);
const everySource = [...sources, ...scripts];
const documents = files
  .filter((path) => path.endsWith('.md'))
  .map((path) => ({ path, text: readRepositoryFile(path) }));
const manifests = files
  .filter((path) => /^packages\/[^/]+\/package\.json$/.test(path))
  .map((path) => ({ path, text: readRepositoryFile(path) }));
const listedRfcs = rfcNumbers(readRepositoryFile('docs/protocols/rfcs.md'));
const isThereOrComing = (path: string): boolean => inRepository(path) || unwritten.has(path);

function assertNone(violations: readonly Violation[]): void {
  assert.deepEqual(violations.map(violationText), []);
}

test('packages import only what stands below them, by name, through the index', () => {
  assertNone(sources.flatMap((source) => checkPackageImports(source, importRules)));
});

test('packages list no package of ours that they may not import', () => {
  assertNone(manifests.flatMap(({ path, text }) => checkManifest(path, text, importRules)));
});

test('every run-time dependency has its line among the decisions', () => {
  const path = 'docs/decisions/0002-dependencies.md';
  assertNone(checkDependencyList({ path, text: readRepositoryFile(path) }, manifests));
});

test('inside the store, folders import downwards and through faces', () => {
  assertNone(sources.flatMap((source) => checkStoreImports(source, importRules)));
});

test('no module imports itself in a circle', () => {
  assertNone(checkCycles(everySource));
});

test('modules, functions and methods keep to their length', () => {
  assertNone(everySource.flatMap((source) => checkModuleSize(source, sizeRules)));
  assertNone(everySource.flatMap((source) => checkFunctionSizes(source, sizeRules)));
});

test('banned calls, types and words do not occur', () => {
  assertNone(everySource.flatMap((source) => checkBans(source, exceptions)));
});

test('every exception to a ban is still needed', () => {
  const idle: string[] = [];
  for (const [path, pieces] of Object.entries(exceptions)) {
    const text = inRepository(path) ? readRepositoryFile(path) : '';
    idle.push(...pieces.filter((piece) => !text.includes(piece)));
  }
  assert.deepEqual(idle, []);
});

test('source files are named in kebab-case', () => {
  assertNone(everySource.flatMap((source) => checkFileName(source.path)));
});

test('relative links in documents lead somewhere', () => {
  assertNone(documents.flatMap((document) => checkLinks(document, isThereOrComing)));
});

test('documents named in comments exist', () => {
  assertNone(everySource.flatMap((source) => checkDocumentReferences(source, isThereOrComing)));
});

test('documents awaited by a reference have not been written yet', () => {
  assert.deepEqual([...unwritten].filter(inRepository), [], 'take these out of `unwritten`');
});

test('RFCs are named as RFC nnnn, and the project lists them', () => {
  assertNone(sources.flatMap((source) => checkRfcs(source.path, source.comments, listedRfcs)));
  assertNone(documents.flatMap(({ path, text }) => checkRfcs(path, [{ text, line: 1 }], listedRfcs)));
});

test('no file names a path of one machine', () => {
  const written = files.filter((path) => /\.(?:ts|mjs|md|json|sh|c|h)$|^\.ci\//.test(path));
  const checkout = repositoryRoot.replace(/\/$/, '');
  assertNone(written.flatMap((path) => checkMachinePaths({ path, text: readRepositoryFile(path) }, checkout)));
});

test('the lock file installs on every platform and from every registry', () => {
  assertNone(checkLockFile('package-lock.json', readRepositoryFile('package-lock.json')));
});
