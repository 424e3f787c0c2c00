import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { skipWithoutCorpus } from './corpus.ts';

test('the corpus is whole, sorted, and without its notes and licences', (t) => {
  const files = skipWithoutCorpus(t);
  if (files === undefined) return;
  assert.equal(files.length, 2_468);
  const names = files.map((file) => file.name);
  assert.deepEqual(names, [...new Set(names)].sort());
  assert.equal(names.filter((name) => name.includes('README') || name.startsWith('licences/')).length, 0);
});

test('four files of the corpus are mboxes: they begin with a From line, one of them behind a byte order mark', (t) => {
  const files = skipWithoutCorpus(t);
  if (files === undefined) return;
  const mboxes = files.filter((file) => file.kind === 'mbox');
  assert.deepEqual(
    mboxes.map((file) => file.name.replace(/\/.*/, '')),
    ['dovecot-list-mbox', 'mimekit-mbox', 'mimekit-mbox', 'mimekit-mbox'],
  );
  for (const file of mboxes) assert.match(readFileSync(file.path, 'utf8').slice(0, 8), /^\uFEFF?From /, file.name);
  assert.equal(files.filter((file) => file.kind === 'message').length, 2_464);
});
