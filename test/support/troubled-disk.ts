/** The machine's file system with a disk that a test can fill or lock: then nothing is created or written, and everything can be read. */
import type { FileHandle, FileSystem, OpenMode } from '@mstore/store/internal/sys/fs';
import { nodeFs } from '@mstore/store/internal/sys/node-fs';

export class TroubledDisk implements FileSystem {
  /** Why nothing can be written; undefined while all is well. */
  trouble: 'ENOSPC' | 'EACCES' | undefined;
  /** Something could not be written. */
  hadTrouble = false;

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    if (mode === 'create') this.#needRoom();
    const file = await nodeFs.open(path, mode);
    return {
      read: (buffer, offset, length, position) => file.read(buffer, offset, length, position),
      write: async (buffers, position) => {
        this.#needRoom();
        await file.write(buffers, position);
      },
      datasync: () => file.datasync(),
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  list(directory: string): Promise<string[]> {
    return nodeFs.list(directory);
  }

  async makeDirectory(path: string): Promise<void> {
    this.#needRoom();
    await nodeFs.makeDirectory(path);
  }

  rename(from: string, to: string): Promise<void> {
    return nodeFs.rename(from, to);
  }

  unlink(path: string): Promise<void> {
    return nodeFs.unlink(path);
  }

  syncDirectory(directory: string): Promise<void> {
    return nodeFs.syncDirectory(directory);
  }

  #needRoom(): void {
    const { trouble } = this;
    if (trouble === undefined) return;
    this.hadTrouble = true;
    throw Object.assign(new Error(`${trouble}: this disk takes nothing`), { code: trouble });
  }
}
