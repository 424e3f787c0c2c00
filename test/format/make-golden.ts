/**
 * Makes a golden store: `node test/dist/format/make-golden.js FOLDER`, with the release whose format it is to show.
 * `golden/README.md` says what the folder holds and when one is made. It is never made again: today's code must read what
 * yesterday's wrote.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createStore, Store } from '@mstore/store';
import { assertClean } from '../support/temp-store.ts';
import { contentsOf } from './golden-contents.ts';
import { restoredDirectory, tellLaterLives } from './golden-later-lives.ts';
import { storyOptions, tellStory } from './golden-story.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('name the folder to make');
const machine = await tellLaterLives(await tellStory(createStore));
const { disk } = machine;
const heap = `${restoredDirectory}/heap`;
await mkdir(folder);
await mkdir(join(folder, 'heap'));
for (const name of await disk.list(heap)) {
  await writeFile(join(folder, 'heap', name), disk.contents(`${heap}/${name}`));
}
const rows = [...(await machine.catalog(restoredDirectory)).entries()];
const lines = rows.map(([table, key, value]) => `${table} ${key.toString('hex')} ${value.toString('hex')}\n`);
await writeFile(join(folder, 'catalog.txt'), lines.join(''));
const store = await Store.open(restoredDirectory, storyOptions(machine));
await assertClean(store);
await writeFile(join(folder, 'contents.txt'), `${(await contentsOf(store)).join('\n')}\n`);
await store.close();
