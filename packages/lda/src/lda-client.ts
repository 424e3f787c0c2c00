/**
 * The trampoline's side of `run/lda.sock` in TypeScript, for machines without a compiler. What it promises is what
 * `native/mstore-lda.c` does.
 */
import { connect, type Socket } from 'node:net';
import { delivered, keep, type LdaAnswer } from './exit-codes.ts';
import { decodeAnswer, encodeOpening, encodePieceHead, endMarker } from './lda-wire.ts';
import { limits } from './limits.ts';

/** Has the daemon behind `path` deliver; undefined, and nothing was read, when nobody listens there. */
export async function deliverThrough(
  path: string,
  args: readonly string[],
  octets: AsyncIterable<Buffer>,
): Promise<LdaAnswer | undefined> {
  const opening = encodeOpening(args);
  // Of a longer one the system takes the beginning, where another store's daemon may listen.
  if (Buffer.byteLength(path) > limits.socketPathBytes) return keep(`the path of the socket is too long: ${path}`);
  const socket = await connected(path);
  if (socket === undefined) return undefined;
  if (typeof socket === 'string') return keep(`${path}: ${socket}`);
  return new Dialogue(socket).run(opening, octets);
}

/** The socket, undefined when nobody listens, or what is wrong. */
function connected(path: string): Promise<Socket | string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error) => {
      const errno = errnoOf(error);
      resolve(errno === 'ENOENT' || errno === 'ECONNREFUSED' ? undefined : (errno ?? error.message));
    });
  });
}

class Dialogue {
  readonly #socket: Socket;
  readonly #answer: Promise<LdaAnswer>;
  #settle: (answer: LdaAnswer) => void = () => undefined;
  #received: Buffer = Buffer.alloc(0);
  #isAnswered = false;
  #isWhole = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#answer = new Promise((resolve) => {
      this.#settle = (answer) => {
        this.#isAnswered = true;
        resolve(answer);
      };
    });
  }

  async run(opening: Buffer, octets: AsyncIterable<Buffer>): Promise<LdaAnswer> {
    const socket = this.#socket;
    socket.on('data', (some) => this.#receive(some));
    // A broken connection may still hold the answer: these come after it was read.
    const gone = (): void => this.#settle(keep('the daemon went away and did not say what became of the message'));
    socket
      .on('error', () => undefined)
      .on('end', gone)
      .on('close', gone);
    void this.#send(opening, octets).catch((error: unknown) => {
      this.#settle(keep(`standard input cannot be read: ${errnoOf(error) ?? 'failed'}`));
    });
    const answer = await this.#answer;
    socket.destroy();
    return answer;
  }

  async #send(opening: Buffer, octets: AsyncIterable<Buffer>): Promise<void> {
    await this.#write(opening);
    for await (const some of octets) {
      for (let at = 0; at < some.length; at += limits.pieceBytes) {
        const piece = some.subarray(at, at + limits.pieceBytes);
        if (this.#isAnswered) return;
        this.#socket.write(encodePieceHead(piece.length));
        await this.#write(piece);
      }
    }
    this.#isWhole = true;
    await this.#write(endMarker);
  }

  /** Resolves when there is room again, or nobody takes more. */
  async #write(octets: Buffer): Promise<void> {
    if (this.#isAnswered || this.#socket.write(octets)) return;
    const room = new Promise<void>((resolve) => this.#socket.once('drain', resolve));
    await Promise.race([room, this.#answer]);
  }

  #receive(octets: Buffer): void {
    this.#received = Buffer.concat([this.#received, octets]);
    const end = this.#received.indexOf('\n');
    if (end === -1 && this.#received.length <= limits.answerBytes + 4) return;
    const answer = decodeAnswer(this.#received.subarray(0, Math.max(end, 0)).toString());
    const isSound = answer !== undefined && (answer.code !== delivered || this.#isWhole);
    this.#settle(isSound ? answer : keep("the daemon's answer makes no sense"));
  }
}

/** Here and not the store's: what only passes a message on does not load a store. */
function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
