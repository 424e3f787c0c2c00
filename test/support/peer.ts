/** The other side of a daemon of ours: a plain socket that gives out what it hears line by line, with a deadline on each wait. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw } from 'node:zlib';
import { parseListenAddress } from '@mstore/net';

/** ms that an answer may take before a test gives up. */
const patienceMs = 20_000;

export class Peer {
  readonly #socket: Socket;
  readonly #patienceMs: number;
  #heard: Buffer[] = [];
  #heardBytes = 0;
  #wake: () => void = () => undefined;
  #ended = false;
  /** What we say goes through it, from `compress` on. */
  #deflate: DeflateRaw | undefined;

  private constructor(socket: Socket, patience: number) {
    this.#socket = socket;
    this.#patienceMs = patience;
    socket.on('data', this.#hear);
    // A reset is an end like any other for who listens.
    socket.on('error', this.#over).on('end', this.#over).on('close', this.#over);
  }

  readonly #hear = (octets: Buffer): void => {
    this.#heard.push(octets);
    this.#heardBytes += octets.length;
    this.#wake();
  };

  readonly #over = (): void => {
    this.#ended = true;
    this.#wake();
  };

  /** Calls `127.0.0.1:2424` or `unix:PATH`; the socket stays open for writing when the daemon ends its side. */
  static async connect(address: string, patience: number = patienceMs): Promise<Peer> {
    const at = parseListenAddress(address);
    const place = at.kind === 'unix' ? { path: at.path } : { host: at.host, port: at.port };
    const socket = connect({ ...place, allowHalfOpen: true, noDelay: true });
    const peer = new Peer(socket, patience);
    await once(socket, 'connect', { signal: AbortSignal.timeout(patience) });
    return peer;
  }

  /** True when the daemon's side has ended and everything it said was given out. */
  get isOver(): boolean {
    return this.#ended && this.#heardBytes === 0;
  }

  /** Octets heard and not given out. */
  get pending(): Buffer {
    return this.#whole();
  }

  /** Sends text (latin1: one octet a character) or octets; resolves when the kernel has them, or never will. */
  write(octets: Buffer | string): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed || this.#socket.writableEnded) resolve();
      else
        (this.#deflate ?? this.#socket).write(typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets, () =>
          resolve(),
        );
    });
  }

  /** Sends octets as they are, also where the others are compressed. */
  writeBelow(octets: Buffer): void {
    this.#socket.write(octets);
  }

  /** Both sides speak raw DEFLATE from here on; everything that was said before has been taken. */
  compress(): void {
    const inflate = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });
    this.#socket.off('data', this.#hear).off('end', this.#over).off('close', this.#over);
    this.#socket.on('close', () => inflate.end());
    this.#socket.pipe(inflate).on('data', this.#hear).on('end', this.#over).on('error', this.#over);
    this.#deflate = createDeflateRaw({ flush: constants.Z_SYNC_FLUSH });
    this.#deflate.pipe(this.#socket);
  }

  /** The next line without its CRLF; undefined when the daemon's side ended before one. */
  async line(): Promise<string | undefined> {
    const octets = await this.through('\r\n');
    return octets?.subarray(0, -2).toString('latin1');
  }

  /** Gives a line back, to be heard again first. */
  unread(text: string): void {
    const octets = Buffer.from(text, 'latin1');
    this.#heard.unshift(octets);
    this.#heardBytes += octets.length;
  }

  /** Everything up to and with this mark; undefined when the daemon's side ended before it. */
  async through(mark: string): Promise<Buffer | undefined> {
    let carried: Buffer = Buffer.alloc(0);
    let looked = 0;
    for (let chunk = 0; ; ) {
      const octets = this.#heard[chunk];
      if (octets === undefined) {
        if (this.#ended) return undefined;
        // Not `pending`, which would put together what is walked through here.
        const first = this.#heard[0]?.toString('latin1', 0, 200) ?? '';
        await this.#more(`${JSON.stringify(mark)} behind ${JSON.stringify(first)}`);
        continue;
      }
      // The mark may lie across two reads.
      const here = carried.length === 0 ? octets : Buffer.concat([carried, octets]);
      const at = here.indexOf(mark, 0, 'latin1');
      if (at !== -1) return this.#take(looked - carried.length + at + mark.length);
      looked += octets.length;
      carried = here.subarray(Math.max(0, here.length - mark.length + 1));
      chunk += 1;
    }
  }

  /** So many octets; fewer when the daemon's side ended before. */
  async octets(count: number): Promise<Buffer> {
    while (this.#heardBytes < count && !this.#ended) await this.#more(`${count} octets`);
    return this.#take(Math.min(count, this.#heardBytes));
  }

  /** Everything until the daemon ends its side. */
  async rest(): Promise<Buffer> {
    while (!this.#ended) await this.#more('the end');
    return this.#take(this.#heardBytes);
  }

  /** No longer takes what the daemon says. */
  stopReading(): void {
    this.#socket.pause();
  }

  /** Ends our side and goes on listening. */
  end(): void {
    this.#socket.end();
  }

  /** Breaks off. */
  kill(): void {
    // A Unix socket has no reset.
    // Node never closes a handle that is reset while its end is being sent, and then the process cannot exit.
    if (this.#socket.remoteAddress === undefined || this.#socket.writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #whole(): Buffer {
    if (this.#heard.length > 1) this.#heard = [Buffer.concat(this.#heard)];
    return this.#heard[0] ?? Buffer.alloc(0);
  }

  #take(count: number): Buffer {
    const all = this.#whole();
    this.#heard = count < all.length ? [all.subarray(count)] : [];
    this.#heardBytes -= count;
    return all.subarray(0, count);
  }

  async #more(what: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), this.#patienceMs);
      this.#wake = resolve;
    });
    clearTimeout(timer);
  }
}
