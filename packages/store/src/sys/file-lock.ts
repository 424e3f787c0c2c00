/**
 * A lock that one process holds on a file: flock(2), so that it goes with the process however that ends. Descriptors are
 * close-on-exec: a child does not inherit it. The file stays behind, never to be unlinked (another process may be about
 * to lock the same inode), and holds the pid of its last holder for messages only.
 */
import fs from 'node:fs';
import { flockSync } from 'fs-ext';
import { errnoOf } from '../errors.ts';

export interface FileLock {
  /** Gives the lock back; a second call does nothing. */
  release(): void;
}

/** Takes the lock, making the file when it is missing; undefined when another holder, in this process or not, has it. */
export function lockFile(path: string): FileLock | undefined {
  const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  try {
    if (!tryFlock(fd)) {
      fs.closeSync(fd);
      return undefined;
    }
    // Written over the old one, so that a full disk does not stand in the way.
    fs.ftruncateSync(fd, fs.writeSync(fd, `${process.pid}\n`, 0));
  } catch (error) {
    fs.closeSync(fd);
    // Of a call on a descriptor Node does not say which file failed.
    if (errnoOf(error) !== undefined) Object.assign(Object(error), { path });
    throw error;
  }
  return releasing(fd);
}

/** A lock that goes with its descriptor. */
function releasing(fd: number): FileLock {
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      fs.closeSync(fd);
    },
  };
}

/** Shares the lock of a file that is there with others who share it; undefined while somebody has it alone. */
export function shareFile(path: string): FileLock | undefined {
  const fd = fs.openSync(path, fs.constants.O_RDONLY);
  let isHeld = false;
  try {
    isHeld = tryFlock(fd, 'shnb');
  } finally {
    if (!isHeld) fs.closeSync(fd);
  }
  return isHeld ? releasing(fd) : undefined;
}

/** A file that is kept open, to be locked for moments again and again. */
export class MomentaryLock {
  readonly #fd: number;

  /** Makes the file when it is missing. */
  constructor(path: string) {
    this.#fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  }

  /** False while another holder, in this process or not, has it. */
  tryLock(): boolean {
    return tryFlock(this.#fd);
  }

  unlock(): void {
    flockSync(this.#fd, 'un');
  }

  /** Lets it go, too. */
  close(): void {
    fs.closeSync(this.#fd);
  }
}

function tryFlock(fd: number, how: 'exnb' | 'shnb' = 'exnb'): boolean {
  try {
    flockSync(fd, how);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EAGAIN' || errno === 'EWOULDBLOCK') return false;
    throw error;
  }
}

/** The pid that the file names: the holder's while the lock is held, else the last one's; undefined without a file. */
export function lockHolder(path: string): number | undefined {
  let text: string;
  try {
    text = fs.readFileSync(path, 'latin1');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  return /^\d+\n$/.test(text) ? Number(text) : undefined;
}
