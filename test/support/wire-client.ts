/**
 * The octets under the raw clients of tests: lines and dot-ended blocks in, anything out, with a deadline on every read.
 * Written apart from packages/net on purpose: a mistake there must not hide behind the same mistake here.
 */
import { connect, type Socket } from 'node:net';
import { parseListenAddress } from '@mstore/net';

const answerMs = 60_000;
const lineEnd = Buffer.from('\r\n');
const blockEnd = Buffer.from('\r\n.\r\n');

export class WireClient {
  readonly socket: Socket;
  /** What came and was not read yet: `#buffer` from `#start` to `#end`. */
  #buffer: Buffer = Buffer.alloc(65_536);
  #start = 0;
  #end = 0;
  #ended = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (octets) => this.#take(octets));
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    socket.on('end', end).on('close', end).on('error', end);
  }

  /** Calls `127.0.0.1:PORT` or `unix:PATH`. */
  static connect(address: string): Promise<WireClient> {
    const at = parseListenAddress(address);
    const socket = connect(at.kind === 'unix' ? { path: at.path } : { host: at.host, port: at.port, noDelay: true });
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new WireClient(socket));
      });
    });
  }

  /** Sends text in Latin-1, or octets; resolves when the kernel has taken them. */
  send(octets: string | Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  /** The next line in Latin-1, without its CRLF; undefined at the end of the connection. */
  async line(): Promise<string | undefined> {
    const octets = await this.#until(lineEnd, 0);
    return octets?.toString('latin1');
  }

  /** A dot-ended block: its lines with CRLF, dots taken off. */
  async block(): Promise<Buffer> {
    // The dot may be the first octet: look for its line end and the one before it together.
    const first = await this.#until(lineEnd, 0);
    if (first === undefined) throw new Error('the connection ended before a block');
    if (first.toString('latin1') === '.') return Buffer.alloc(0);
    this.#start -= first.length + lineEnd.length;
    const octets = await this.#until(blockEnd, first.length);
    if (octets === undefined) throw new Error('the connection ended within a block');
    return Buffer.from(`${octets.toString('latin1')}\r\n`.replace(/(^|\r\n)\.\./g, '$1.'), 'latin1');
  }

  /** Closes without a word. */
  close(): void {
    this.socket.destroy();
  }

  /** What stands before the next `mark` not before `from`, which is passed over; undefined when the connection ended. */
  async #until(mark: Buffer, from: number): Promise<Buffer | undefined> {
    const deadline = AbortSignal.timeout(answerMs);
    let searched = from;
    for (;;) {
      const at = this.#buffer.subarray(this.#start, this.#end).indexOf(mark, searched);
      if (at !== -1) {
        const octets = Buffer.from(this.#buffer.subarray(this.#start, this.#start + at));
        this.#start += at + mark.length;
        return octets;
      }
      searched = Math.max(from, this.#end - this.#start - mark.length + 1);
      if (this.#ended) return undefined;
      await this.#more(deadline);
    }
  }

  /** Resolves when more came, or the connection ended. */
  #more(deadline: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new Error(`no answer within ${answerMs} ms`));
      deadline.addEventListener('abort', late, { once: true });
      this.#wake = (): void => {
        deadline.removeEventListener('abort', late);
        resolve();
      };
    });
  }

  #take(octets: Buffer): void {
    const held = this.#end - this.#start;
    if (this.#end + octets.length > this.#buffer.length) {
      const room = held + octets.length > this.#buffer.length ? Buffer.alloc(2 * (held + octets.length)) : this.#buffer;
      this.#buffer.copy(room, 0, this.#start, this.#end);
      this.#buffer = room;
      this.#start = 0;
      this.#end = held;
    }
    octets.copy(this.#buffer, this.#end);
    this.#end += octets.length;
    this.#wake();
  }
}
