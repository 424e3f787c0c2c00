/** `mstore import maildir`: a Maildir with its Maildir++ folders. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '@mstore/store';
import { CommandError, exit } from './errors.ts';
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
  readonly path: string;
  readonly mailbox: string;
  readonly letters: string;
  readonly keywords: readonly (string | undefined)[];
  readonly listed: UidListEntry | undefined;
}

export async function maildirSource(path: string, mailbox: string | undefined): Promise<Source> {
  if ((await namesIn(join(path, 'cur'))) === undefined) {
    throw new CommandError(exit.noInput, `${path}: this is no Maildir: it has no folder "cur"`);
  }
  const folders = (await readdir(path, { withFileTypes: true })).filter(
    (e) => e.isDirectory() && /^\.[^.]/.test(e.name),
  );
  const files: MaildirFile[] = [];
  for (const folder of ['', ...folders.map(({ name }) => name).sort()]) {
    const inFolder = await filesOf(join(path, folder), mailbox ?? mailboxOfFolder(folder));
    for (const file of inFolder) files.push(file);
  }
  let done = 0;
  let gone = 0;
  const begin = async (file: MaildirFile): Promise<Incoming | undefined> => {
    try {
      const { octets, modified } = await openFile(file.path);
      const { flags, keywords } = readLetters(file.letters, file.keywords);
      const message = { name: file.path, mailbox: file.mailbox, octets, flags, keywords, internalDate: modified };
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
    notes: () =>
      gone === 0 ? [] : [`${gone} files were gone when it was their turn: the Maildir is in use; import again`],
  };
}

/** A folder's messages: those that Dovecot listed in its order, then the others by time and name. */
async function filesOf(folder: string, mailbox: string): Promise<MaildirFile[]> {
  const keywords = parseKeywords(await textOrNone(join(folder, 'dovecot-keywords')));
  const listed = parseUidList(await textOrNone(join(folder, 'dovecot-uidlist')));
  const found: { file: MaildirFile; uid: number; time: number; base: string }[] = [];
  for (const place of ['cur', 'new']) {
    for (const name of (await namesIn(join(folder, place))) ?? []) {
      if (name.startsWith('.')) continue;
      const { base, letters } = splitFileName(name);
      const known = listed.get(base);
      const file = { path: join(folder, place, name), mailbox, letters, keywords, listed: known };
      const time = Number(/^\d+/.exec(base)?.[0] ?? Number.MAX_SAFE_INTEGER);
      found.push({ file, uid: known?.uid ?? Number.MAX_SAFE_INTEGER, time, base });
    }
  }
  found.sort((a, b) => a.uid - b.uid || a.time - b.time || (a.base < b.base ? -1 : 1));
  return found.map(({ file }) => file);
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function textOrNone(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}
