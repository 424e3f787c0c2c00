/** What the daemon's answers come from: the store, read beside its writer; the writer, for changes; and the user directory. */
import { CachedDirectory, configuredDirectory, type Directory } from '@mstore/directory';
import type { Clock } from '@mstore/net';
import { type Config, StoreReader, socketPath, WriterLink } from '@mstore/store';

export class Backing {
  readonly reading: StoreReader;
  readonly writer: WriterLink;
  readonly directory: Directory;

  private constructor(reading: StoreReader, writer: WriterLink, directory: Directory) {
    this.reading = reading;
    this.writer = writer;
    this.directory = directory;
  }

  /** Opens what lies in the store's directory. @throws {StoreError} what opening a store throws */
  static async open(path: string, config: Config, clock?: Clock): Promise<Backing> {
    const reading = await StoreReader.open(path);
    const users = configuredDirectory(path, config, clock === undefined ? {} : { clock });
    const directory = new CachedDirectory(users, clock === undefined ? {} : { clock });
    return new Backing(reading, new WriterLink(socketPath(path)), directory);
  }

  async close(): Promise<void> {
    await this.writer.close();
    await this.directory.close();
    await this.reading.close();
  }
}
