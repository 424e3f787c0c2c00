/** `mstore import mbox`: a file, or a folder of `*.mbox` as `mstore export mbox` writes it. */
import { stat } from 'node:fs/promises';
import { inbox } from '@mstore/store';
import { CommandError, exit } from './errors.ts';
import { filesBelow } from './file-tree.ts';
import { MboxReader, NotAnMbox } from './mbox-reader.ts';
import { mailboxFromPath } from './path-name.ts';
import { fileChunks, type Incoming, openChunks, type Source } from './source.ts';
import { humanCount } from './text.ts';

export async function mboxSource(path: string, mailbox: string | undefined): Promise<Source> {
  const files: { path: Buffer; mailbox: string }[] = [];
  let total = 0;
  const found = await stat(path);
  if (!found.isDirectory()) {
    files.push({ path: Buffer.from(path), mailbox: mailbox ?? inbox });
    total = found.size;
  } else {
    for (const file of (await filesBelow(path)).filter(({ name }) => name.endsWith('.mbox'))) {
      const levels = [...file.folders, file.name.slice(0, -'.mbox'.length)];
      files.push({ path: file.path, mailbox: mailbox ?? mailboxFromPath(levels) });
      total += (await stat(file.path)).size;
    }
    if (files.length === 0) throw new CommandError(exit.noInput, `${path}: no *.mbox files`);
  }
  let before = 0;
  let fromLinesBefore = 0;
  let reader: MboxReader | undefined;
  async function* messages(): AsyncGenerator<Incoming> {
    for (const { path: name, mailbox: into } of files) {
      const { file, size, modified } = await openChunks(name);
      try {
        reader = new MboxReader(fileChunks(file));
        for await (const message of reader.messages()) {
          const { octets, date, number, offset } = message;
          const what = `${name}: message ${number} (offset ${offset})`;
          const common = { name: what, mailbox: into, octets, flags: 0, keywords: [], fileDate: modified };
          yield date === undefined ? common : { ...common, internalDate: date };
        }
      } catch (error) {
        if (error instanceof NotAnMbox) throw new CommandError(exit.badData, `${name}: ${error.message}`);
        throw error;
      } finally {
        await file.close();
      }
      fromLinesBefore += reader.fromLinesKept;
      reader = undefined;
      before += size;
    }
  }
  const fromLinesKept = (): number => fromLinesBefore + (reader?.fromLinesKept ?? 0);
  return {
    messages: messages(),
    unit: 'octets',
    progress: () => ({ done: before + (reader?.position ?? 0), total }),
    notes: () => fromLinesNotes(fromLinesKept()),
    counts: () => ({ fromLinesKept: fromLinesKept() }),
  };
}

function fromLinesNotes(count: number): readonly string[] {
  if (count === 0) return [];
  const what =
    count === 1
      ? '1 line looks like a message start but follows'
      : `${humanCount(count)} lines look like message starts but follow`;
  return [`${what} no empty line; ${count === 1 ? 'it was' : 'they were'} kept as text`];
}
