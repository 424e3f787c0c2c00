/** Maildirs as the clients of the tests keep them: read with flags, and changed as a mail reader changes them. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withLf } from '../support/programs.ts';
import type { Mail } from './imap-scene.ts';

interface Kept extends Mail {
  /** Where the file is. */
  readonly path: string;
}

const letters: ReadonlyMap<string, string> = new Map([
  ['D', 'Draft'],
  ['F', 'Flagged'],
  ['R', 'Answered'],
  ['S', 'Seen'],
  ['T', 'Deleted'],
]);

/** Every message of a maildir with its flags, sorted by name. */
export async function readMaildir(path: string): Promise<Kept[]> {
  const mail: Kept[] = [];
  for (const place of ['cur', 'new']) {
    for (const name of (await readdir(join(path, place))).sort()) {
      const flags = /:2,([A-Z]*)/.exec(name)?.[1] ?? '';
      const names = [...flags].map((letter) => letters.get(letter)).filter((flag) => flag !== undefined);
      const file = join(path, place, name);
      mail.push({ path: file, octets: await readFile(file), flags: names.sort() });
    }
  }
  return mail;
}

/** Gives a message these flags instead of those it has. */
export async function setFlags(path: string, ...flags: readonly string[]): Promise<void> {
  const chosen = [...letters].filter(([, flag]) => flags.includes(flag)).map(([letter]) => letter);
  const name = path.replace(/:2,[A-Z]*$/, '').replace(/\/new\/([^/]+)$/, '/cur/$1');
  await rename(path, `${name}:2,${chosen.join('')}`);
}

/** Puts a message into a maildir, which is made if it is not there; lines end as they do in files. */
export async function put(path: string, name: string, octets: Buffer, flags: string = ''): Promise<void> {
  for (const place of ['cur', 'new', 'tmp']) await mkdir(join(path, place), { recursive: true });
  await writeFile(join(path, 'cur', `${name}:2,${flags}`), withLf(octets));
}
