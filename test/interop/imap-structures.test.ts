/** ENVELOPE and BODYSTRUCTURE of the whole corpus beside Dovecot's. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { asStored } from '../cli/command.ts';
import { fetchItems, type Value } from '../imap/lists.ts';
import { skipWithoutCorpus } from '../support/corpus.ts';

import { ImapClient } from '../support/imap-client.ts';
import { requireProgram } from '../support/interop.ts';
import { Dovecot } from './dovecot.ts';
import { brokenMessages, type Place, placeRules } from './imap-differences.ts';
import { ImapScene } from './imap-scene.ts';

/** Where two values differ, as deep inside as can be said. */
function places(item: Place['item'], ours: Value, theirs: Value, path: readonly number[] = []): Place[] {
  if (Array.isArray(ours) && Array.isArray(theirs) && ours.length === theirs.length) {
    return ours.flatMap((value, index) => places(item, value, theirs[index], [...path, index]));
  }
  return JSON.stringify(ours) === JSON.stringify(theirs) ? [] : [{ item, path, ours, theirs }];
}

async function structures(client: ImapClient): Promise<readonly ReadonlyMap<string, Value>[]> {
  const lines = await client.ok('FETCH 1:* (RFC822.SIZE ENVELOPE BODYSTRUCTURE)');
  return lines.filter((line) => line.includes(' FETCH ')).map(fetchItems);
}

test('envelopes and body structures are those that Dovecot finds, but for what the ledger explains', async (t) => {
  const files = skipWithoutCorpus(t);
  if (files === undefined || requireProgram(t, 'dovecot') === undefined) return;
  await using scene = await ImapScene.start();
  await using dovecot = await Dovecot.start();
  const ours = await scene.session();
  const theirs = await ImapClient.open(dovecot.address);
  const names: string[] = [];
  for (const { path, name } of files.filter(({ kind }) => kind === 'message')) {
    const octets = asStored(await readFile(path));
    if (octets.length === 0) continue;
    names.push(name);
    const append = Buffer.concat([Buffer.from(`APPEND INBOX {${octets.length}+}\r\n`), octets]);
    await Promise.all([ours.ok(append), theirs.ok(append)]);
  }
  await ours.ok('EXAMINE INBOX');
  await theirs.ok('EXAMINE INBOX');
  const [own, other] = [await structures(ours), await structures(theirs)];
  assert.deepEqual([own.length, other.length], [names.length, names.length]);
  const used = new Set<string>();
  const unexplained: string[] = [];
  for (const [index, name] of names.entries()) {
    assert.equal(own[index]?.get('RFC822.SIZE'), other[index]?.get('RFC822.SIZE'), name);
    const found = (['ENVELOPE', 'BODYSTRUCTURE'] as const).flatMap((item) =>
      places(item, own[index]?.get(item), other[index]?.get(item)),
    );
    for (const place of found) {
      const rule = placeRules.find(({ explains }) => explains(place));
      const reasons = [...brokenMessages].filter(([, messages]) => messages.includes(name)).map(([reason]) => reason);
      if (rule !== undefined) used.add(rule.reason);
      else for (const reason of reasons) used.add(`${reason}: ${name}`);
      if (rule === undefined && reasons.length === 0)
        unexplained.push(`${name} ${JSON.stringify(place).slice(0, 1_000)}`);
    }
  }
  ours.close();
  theirs.close();
  assert.deepEqual(unexplained, []);
  const entries = [
    ...placeRules.map(({ reason }) => reason),
    ...[...brokenMessages].flatMap(([reason, messages]) => messages.map((name) => `${reason}: ${name}`)),
  ];
  assert.deepEqual(
    entries.filter((entry) => !used.has(entry)),
    [],
    'these no longer occur: take them out',
  );
});
