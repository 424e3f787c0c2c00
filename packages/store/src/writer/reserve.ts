/**
 * The reserve: a file of octets that hold nothing, so that a full disk still has room for those who make space. Its length is what it
 * holds. It grows in slices, while there is room, and is given away whole, by its removal; the next one is made when there is
 * room again. No crash matters: whatever is there afterwards is as long as it is.
 *
 * Its octets are random ones, since a file system that compresses would keep no room for zeros.
 */
import { errnoOf } from '../errors.ts';
import { limits } from '../limits.ts';
import type { FileSystem } from '../sys/fs.ts';
import { machinePorts, type StoreOptions } from './store-directory.ts';

export class Reserve {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #random: (bytes: number) => Buffer;
  #bytes = 0;
  /** What runs now, so that one thing happens after the other. */
  #running: Promise<void> = Promise.resolve();
  #isReleased = false;

  constructor(fs: FileSystem, directory: string, random: (bytes: number) => Buffer) {
    this.#fs = fs;
    this.#directory = directory;
    this.#random = random;
  }

  get #path(): string {
    return `${this.#directory}/reserve`;
  }

  /** Octets it holds. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Looks what an earlier writer left. */
  async open(): Promise<void> {
    try {
      const file = await this.#fs.open(this.#path, 'read');
      try {
        this.#bytes = await file.size();
      } finally {
        await file.close();
      }
    } catch {
      // None, or none that can be read: it is made again.
      this.#bytes = 0;
    }
  }

  /** Adds a slice, durable on return. @throws what the file system throws; the reserve is as long as it became */
  async grow(wantedBytes: number): Promise<void> {
    if (this.#bytes >= wantedBytes) return;
    this.#isReleased = false;
    await this.#after(() => this.#addSlice(Math.min(limits.reserveSliceBytes, wantedBytes - this.#bytes)));
  }

  /** Gives its octets to whoever needs them; false when there are none, or that is under way. */
  release(): boolean {
    if (this.#isReleased || this.#bytes === 0) return false;
    this.#isReleased = true;
    void this.#after(() => this.#remove()).catch(() => {
      this.#isReleased = false;
    });
    return true;
  }

  /** Resolves when what was begun is done. */
  async settle(): Promise<void> {
    await this.#running;
  }

  #after(work: () => Promise<void>): Promise<void> {
    const done = this.#running.then(work);
    this.#running = done.catch(() => undefined);
    return done;
  }

  async #addSlice(bytes: number): Promise<void> {
    const isNew = this.#bytes === 0;
    if (isNew) await this.#unlink();
    const file = await this.#fs.open(this.#path, isNew ? 'create' : 'write');
    try {
      await file.write([this.#random(bytes)], this.#bytes);
      await file.datasync();
      this.#bytes += bytes;
    } finally {
      await file.close();
    }
  }

  async #remove(): Promise<void> {
    await this.#unlink();
    this.#bytes = 0;
    await this.#fs.syncDirectory(this.#directory);
  }

  async #unlink(): Promise<void> {
    try {
      await this.#fs.unlink(this.#path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
}

/** Gives a store's reserve away before anybody has opened it; false when there was none. */
export async function giveReserve(directory: string, options: StoreOptions): Promise<boolean> {
  const { fs, random } = options.ports ?? machinePorts;
  const reserve = new Reserve(fs, directory, random);
  await reserve.open();
  const { bytes } = reserve;
  if (!reserve.release()) return false;
  await reserve.settle();
  options.tell?.({ kind: 'reserve', state: 'released', bytes });
  return reserve.bytes === 0;
}
