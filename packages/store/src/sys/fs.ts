/**
 * The port to the file system: the few calls the store makes, so that tests can put a disk underneath that tears,
 * reorders and fails (`test/support/sim-disk.ts`). `node-fs.ts` is the real one; both pass `test/contract/fs.ts`.
 *
 * Durability: nothing is durable before `datasync` of the file (its octets and length) and `syncDirectory` of the
 * directory (its names) returned.
 */

/** An open file. */
export interface FileHandle {
  /** Reads up to `length` octets at `position` into `buffer` at `offset`; returns how many, 0 at the end. */
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<number>;
  /**
   * As `read`, but where it is called; undefined where the octets may have to be waited for. A file system without it always has
   * to be waited for.
   */
  readNow?(buffer: Buffer, offset: number, length: number, position: number): number | undefined;
  /** Writes all of `buffers` one after the other at `position`. After an error any part of them may be on disk. */
  write(buffers: readonly Buffer[], position: number): Promise<void>;
  /** Makes everything written so far durable (fdatasync). After an error nothing since the last success is known. */
  datasync(): Promise<void>;
  /** The file's length in octets. */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** How to open: `read` an existing file, `write` an existing one for both, `create` a new one (EEXIST when there). */
export type OpenMode = 'read' | 'write' | 'create';

/** Errors are Node's, with `code` (ENOENT, EEXIST, EIO, ENOSPC …). */
export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<FileHandle>;
  /** Names in a directory, sorted. */
  list(directory: string): Promise<string[]>;
  /** Makes a directory and its missing parents; no error when it exists. */
  makeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes creations, renames and removals of names in a directory durable. */
  syncDirectory(directory: string): Promise<void>;
}
