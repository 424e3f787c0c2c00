/** `mstore import maildir`: a Maildir with its Maildir++ folders. */
import { readFile } from 'node:fs/promises';
import { errnoOf } from '@mstore/store';
import { CommandError, exit } from './errors.ts';
import { below, type Named, namedIn } from './file-tree.ts';
import {
  mailboxOfFolder,
  parseKeywords,
  parseUidList,
  readLetters,
  splitFileName,
  type UidListEntry,
} from './maildir-layout.ts';
import { ahead, type Incoming, openFile, type Source } from './source.ts';

interface MaildirFile {
  readonly path: Buffer;
  readonly mailbox: string;
  readonly letters: string;
  readonly keywords: readonly (string | undefined)[];
  readonly listed: UidListEntry | undefined;
}

export async function maildirSource(path: string, mailbox: string | undefined): Promise<Source> {
  const root = Buffer.from(path);
  if ((await namedInOrNone(below(root, 'cur'))) === undefined) {
    throw new CommandError(exit.noInput, `${path}: this is no Maildir: it has no folder "cur"`);
  }
  const folders = (await namedIn(root)).filter(({ name, entry }) => entry.isDirectory() && /^\.[^.]/.test(name));
  folders.sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: MaildirFile[] = [];
  for (const folder of [{ name: '', path: root }, ...folders]) {
    const inFolder = await filesOf(folder.path, mailbox ?? mailboxOfFolder(folder.name));
    for (const file of inFolder) files.push(file);
  }
  let done = 0;
  let gone = 0;
  const begin = async (file: MaildirFile): Promise<Incoming | undefined> => {
    try {
      const { octets, modified } = await openFile(file.path);
      const { flags, keywords } = readLetters(file.letters, file.keywords);
      const message = { name: `${file.path}`, mailbox: file.mailbox, octets, flags, keywords, internalDate: modified };
      return file.listed?.uidl === undefined ? message : { ...message, uidl: file.listed.uidl };
    } catch (error) {
      // A mail program renamed or removed it since we looked.
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  };
  async function* messages(): AsyncGenerator<Incoming> {
    for await (const message of ahead(files, begin)) {
      if (message === undefined) gone++;
      else yield message;
      done++;
    }
  }
  return {
    messages: messages(),
    unit: 'messages',
    progress: () => ({ done, total: files.length }),
    missing: () => gone,
    notes: () =>
      gone === 0
        ? []
        : [
            `${gone} files were gone when it was their turn: links that lead nowhere, or the Maildir is in use; import again`,
          ],
  };
}

/** A folder's messages: those that Dovecot listed in its order, then the others by time and name. */
async function filesOf(folder: Buffer, mailbox: string): Promise<MaildirFile[]> {
  const keywords = parseKeywords(await textOrNone(below(folder, 'dovecot-keywords')));
  const listed = parseUidList(await textOrNone(below(folder, 'dovecot-uidlist')));
  const found: { file: MaildirFile; uid: number; time: number; base: string }[] = [];
  for (const place of ['cur', 'new']) {
    for (const { name, path } of (await namedInOrNone(below(folder, place))) ?? []) {
      if (name.startsWith('.')) continue;
      const { base, letters } = splitFileName(name);
      const known = listed.get(base);
      const file = { path, mailbox, letters, keywords, listed: known };
      const time = Number(/^\d+/.exec(base)?.[0] ?? Number.MAX_SAFE_INTEGER);
      found.push({ file, uid: known?.uid ?? Number.MAX_SAFE_INTEGER, time, base });
    }
  }
  found.sort((a, b) => a.uid - b.uid || a.time - b.time || (a.base < b.base ? -1 : 1));
  return found.map(({ file }) => file);
}

async function namedInOrNone(folder: Buffer): Promise<Named[] | undefined> {
  try {
    return await namedIn(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function textOrNone(path: Buffer): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}
