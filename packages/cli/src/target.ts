/** What an export writes to, and files written in large pieces. */
import { type FileHandle, open, unlink, utimes } from 'node:fs/promises';
import type { Entry, NamedMailbox, StoredMessage } from '@mstore/store';

/** Where exported messages go, mailbox by mailbox. */
export interface Target {
  /** Messages of this mailbox follow; its keywords, by number. */
  begin(mailbox: NamedMailbox, keywords: readonly string[]): Promise<void>;
  /** @throws {StoreError} corrupt, ioError where the message cannot be read */
  write(entry: Entry, message: StoredMessage): Promise<void>;
  /** The mailbox is complete. */
  end(): Promise<void>;
  close(): Promise<void>;
  /** What could not be kept, to tell. */
  notes(): readonly string[];
  /** True when the mail itself goes to standard output. */
  readonly isOutput: boolean;
}

/** Takes octets in their order. */
export interface Sink {
  write(octets: Buffer): Promise<void>;
}

/** Octets of a message that is put together before any of it is written. */
const wholeBytes = 1_048_576;
const bufferBytes = 262_144;
const sliceBytes = 65_536;

/** The message's octets in small pieces; a message that is small and cannot be read throws before the first of them. */
export async function* octetsOf(message: StoredMessage): AsyncGenerator<Buffer> {
  if (message.size <= wholeBytes) yield* slices(await message.whole());
  else for await (const octets of message.octets()) yield* slices(octets);
}

function* slices(octets: Buffer): Generator<Buffer> {
  for (let at = 0; at < octets.length; at += sliceBytes) yield octets.subarray(at, at + sliceBytes);
}

/** A new file. */
export class FileSink implements Sink {
  readonly path: string;
  readonly #file: FileHandle;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  static async create(path: string): Promise<FileSink> {
    return new FileSink(path, await open(path, 'wx', 0o600));
  }

  async write(octets: Buffer): Promise<void> {
    this.#waiting.push(octets);
    this.#waitingBytes += octets.length;
    if (this.#waitingBytes >= bufferBytes) await this.#flush();
  }

  async close(): Promise<void> {
    try {
      await this.#flush();
    } finally {
      await this.#file.close();
    }
  }

  async #flush(): Promise<void> {
    const octets = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (let at = 0; at < octets.length; ) at += (await this.#file.write(octets, at)).bytesWritten;
  }
}

/** Writes one message to a file of its own, with the internal date as its time; a message that cannot be read leaves none. */
export async function writeMessageFile(
  path: string,
  octets: AsyncIterable<Buffer>,
  internalDate: number,
): Promise<void> {
  const sink = await FileSink.create(path);
  try {
    for await (const some of octets) await sink.write(some);
    await sink.close();
  } catch (error) {
    await sink.close().catch(() => undefined);
    await unlink(path);
    throw error;
  }
  // As a Date: of a negative number of seconds Node makes the present.
  const date = new Date(internalDate * 1000);
  await utimes(path, date, date);
}
