/** `mstore export mbox`: one file for a mailbox, or one for each. Lines end in LF, quoting is that of mboxrd. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Entry, StoredMessage } from '@mstore/store';
import { asctime } from './from-line.ts';
import { LfConverter } from './lf-lines.ts';
import { Quoter } from './mboxrd.ts';
import type { Output } from './output.ts';
import { pathOfMailbox } from './path-name.ts';
import { FileSink, octetsOf, type Sink, type Target } from './target.ts';

/** A file, or standard output. */
export async function mboxFileTarget(to: string | Output): Promise<Target> {
  const sink = typeof to === 'string' ? await FileSink.create(to) : to;
  return {
    isOutput: sink === to,
    begin: async () => undefined,
    write: (entry, message) => writeMessage(sink, entry, message),
    end: async () => undefined,
    close: async () => (sink instanceof FileSink ? sink.close() : undefined),
    notes: () => [],
  };
}

/** A folder of files, `<mailbox>.mbox`. */
export function mboxFolderTarget(root: string): Target {
  let file: FileSink | undefined;
  return {
    isOutput: false,
    async begin(mailbox) {
      const path = `${join(root, ...pathOfMailbox(mailbox.row.name))}.mbox`;
      await mkdir(dirname(path), { recursive: true });
      file = await FileSink.create(path);
    },
    async write(entry, message) {
      if (file !== undefined) await writeMessage(file, entry, message);
    },
    end: async () => file?.close(),
    close: async () => undefined,
    notes: () => [],
  };
}

/** A From_ line, the message, and the empty line that ends it. */
async function writeMessage(sink: Sink, entry: Entry, message: StoredMessage): Promise<void> {
  const lines = new LfConverter();
  const quoter = new Quoter();
  let begun = false;
  try {
    for await (const some of octetsOf(message)) {
      if (!begun) await sink.write(Buffer.from(fromLine(entry, some)));
      begun = true;
      await sink.write(quoter.push(lines.push(some)));
    }
  } finally {
    // A large message that cannot be read to its end is ended where it is, so that the next one begins as it must.
    if (begun || message.size === 0) {
      if (!begun) await sink.write(Buffer.from(fromLine(entry, Buffer.alloc(0))));
      await sink.write(quoter.push(lines.end(true)));
      await sink.write(quoter.end());
      await sink.write(Buffer.from('\n'));
    }
  }
}

function fromLine({ internalDate }: Entry, begin: Buffer): string {
  const path = /^Return-Path:[ \t]*<([\x21-\x3d\x3f-\x7e]{1,320})>/i.exec(begin.toString('latin1', 0, 400))?.[1];
  const year = new Date(internalDate * 1000).getUTCFullYear();
  return `From ${path ?? 'MAILER-DAEMON'} ${asctime(year >= 1970 && year <= 9999 ? internalDate : 0)}\n`;
}
