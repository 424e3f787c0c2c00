/** `mstore export eml`: `<mailbox>/<uid>.eml`, octets as they are. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathOfMailbox } from './path-name.ts';
import { octetsOf, type Target, writeMessageFile } from './target.ts';

export function emlTarget(root: string): Target {
  let folder = root;
  return {
    isOutput: false,
    async begin(mailbox) {
      folder = join(root, ...pathOfMailbox(mailbox.row.name));
      await mkdir(folder, { recursive: true });
    },
    write: (entry, message) =>
      writeMessageFile(join(folder, `${entry.uid}.eml`), octetsOf(message), entry.internalDate),
    end: async () => undefined,
    close: async () => undefined,
    notes: () => [],
  };
}
