/**
 * `mstore import eml`: one file, or a folder of `*.eml`, as `mstore export eml` writes it: `<mailbox>/<uid>.eml`. Files right in
 * the folder go to INBOX.
 */
import { stat } from 'node:fs/promises';
import { inbox } from '@mstore/store';
import { CommandError, exit } from './errors.ts';
import { filesBelow, type TreeFile } from './file-tree.ts';
import { mailboxFromPath } from './path-name.ts';
import { ahead, type Incoming, openFile, type Source } from './source.ts';
import { counted } from './text.ts';

export async function emlSource(path: string, mailbox: string | undefined): Promise<Source> {
  const isFolder = (await stat(path)).isDirectory();
  const all: readonly TreeFile[] = isFolder
    ? await filesBelow(path)
    : [{ path: Buffer.from(path), folders: [], name: path }];
  const files = isFolder ? all.filter(({ name }) => /\.eml$/i.test(name)) : all;
  if (files.length === 0) throw new CommandError(exit.noInput, `${path}: no *.eml files`);
  const others = all.length - files.length;
  let done = 0;
  const begin = async (file: TreeFile): Promise<Incoming> => {
    const { octets, modified } = await openFile(file.path);
    const into = mailbox ?? (file.folders.length === 0 ? inbox : mailboxFromPath(file.folders));
    return { name: `${file.path}`, mailbox: into, octets, flags: 0, keywords: [], fileDate: modified };
  };
  async function* messages(): AsyncGenerator<Incoming> {
    for await (const message of ahead(files, begin)) {
      yield message;
      done++;
    }
  }
  return {
    messages: messages(),
    unit: 'messages',
    progress: () => ({ done, total: files.length }),
    notes: () => (others === 0 ? [] : [`${counted(others, 'file')} whose names do not end in .eml passed over`]),
  };
}
