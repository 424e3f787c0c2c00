/**
 * The writer's socket: other processes of the store's user send intents, and get answers and the change feed. Access is the
 * socket's file mode. A peer that breaks the protocol loses its connection; what it had asked is decided all the same.
 */
import { chmod, mkdir, unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { errnoOf, errorText, isStoreError, StoreError, type StoreErrorCode } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Change } from './feed.ts';
import type { MailWriter, TakenMessage } from './mail-writer.ts';
import { operations } from './operations.ts';
import type { PinnedLog } from './pins.ts';
import { checkSocketPath } from './socket-path.ts';
import type { StoreWriter } from './store-writer.ts';
import { decodeValue, encodeValue, type Frame, FrameReader, FrameSender, frameType, windowBytes } from './wire.ts';

/** Messages sent ahead and not yet used, of one connection. */
const uploadsMax = 4_096;

/** Pins of one connection: a backup needs two. */
const pinsMax = 16;

/** ms that an ending writer waits for a peer to read its last answers. */
const lingerMs = 1_000;

export class WriterServer {
  readonly #server: Server;
  readonly #writer: StoreWriter;
  readonly #connections = new Set<WriterConnection>();
  readonly #unsubscribe: () => void;

  private constructor(server: Server, writer: StoreWriter) {
    this.#server = server;
    this.#writer = writer;
    server.on('connection', (socket) => this.#accept(socket));
    this.#unsubscribe = writer.subscribeFeed((changes) => {
      for (const connection of this.#connections) connection.tell(changes);
    });
  }

  /**
   * Opens the socket, replacing one that a dead writer left: the lock proves that it is dead.
   * @throws {StoreError} limitExceeded where no socket can have that path
   */
  static async listen(writer: StoreWriter, path: string): Promise<WriterServer> {
    checkSocketPath(path);
    // A copy of a store's heap, moved to another disk, has none.
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await unlink(path).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    const server = createServer();
    const listening = new WriterServer(server, writer);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      listenHidden(server, path, resolve);
    });
    await chmod(path, 0o600).catch(async (error: unknown) => {
      await listening.close();
      throw error;
    });
    // A failed accept(2) costs one connection; unheard it would end the process.
    server.on('error', () => undefined);
    return listening;
  }

  /** Stops listening, lets requests under way finish, ends the connections. */
  async close(): Promise<void> {
    this.#unsubscribe();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.all([...this.#connections].map((connection) => connection.finish()));
    await closed;
  }

  #accept(socket: Socket): void {
    const connection = new WriterConnection(socket, this.#writer);
    this.#connections.add(connection);
    socket.on('close', () => this.#connections.delete(connection));
  }
}

/** A message on its way in: body frames become octets for the writer as fast as it takes them. */
class Upload {
  readonly taken: Promise<TakenMessage>;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #ended: 'no' | 'whole' | 'broken' = 'no';
  #wake: (() => void) | undefined;

  constructor(writer: MailWriter, finalLineEnd: boolean, confirm: (bytes: number) => void) {
    this.taken = writer.take(this.#octets(confirm), { finalLineEnd, givesBuffers: true });
    // Asked for later, or never.
    this.taken.catch(() => undefined);
  }

  push(octets: Buffer): void {
    this.#waiting.push(octets);
    this.#waitingBytes += octets.length;
    if (this.#waitingBytes > windowBytes * 2) throw new StoreError('badIntent', 'a body beyond its window');
    this.#wake?.();
  }

  end(how: 'whole' | 'broken'): void {
    if (this.#ended === 'no') this.#ended = how;
    this.#wake?.();
  }

  async *#octets(confirm: (bytes: number) => void): AsyncGenerator<Buffer> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#waitingBytes -= next.length;
        yield next;
        // Who has sent all of it waits for no confirmation.
        if (this.#ended === 'no') confirm(next.length);
      } else if (this.#ended === 'whole') return;
      else if (this.#ended === 'broken') throw new StoreError('badIntent', 'the body was not finished');
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

/** The file is made at once; until its mode is set nobody may connect. */
function listenHidden(server: Server, path: string, listens: () => void): void {
  const before = process.umask(0o777);
  try {
    server.listen(path, listens);
  } finally {
    process.umask(before);
  }
}

class WriterConnection {
  readonly #socket: Socket;
  readonly #writer: StoreWriter;
  readonly #out: FrameSender;
  readonly #frames = new FrameReader(limits.frameBytes);
  /** Messages whose octets are still coming. */
  readonly #uploads = new Map<number, Upload>();
  /** Messages that were asked to be taken, and neither used nor given up. */
  readonly #taken = new Map<number, Promise<TakenMessage>>();
  #running = 0;
  #finished: (() => void) | undefined;
  #feed = false;

  constructor(socket: Socket, writer: StoreWriter) {
    this.#socket = socket;
    this.#out = new FrameSender(socket);
    this.#writer = writer;
    socket.on('data', (octets) => this.#receive(octets));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      for (const upload of this.#uploads.values()) upload.end('broken');
      this.#uploads.clear();
      for (const id of [...this.#taken.keys()]) this.#giveUp(id);
      for (const pin of this.#pins.splice(0)) void pin?.release();
    });
  }

  tell(changes: readonly Change[]): void {
    if (!this.#feed) return;
    // Who does not read what changed cannot catch up by hearing more: it connects again and looks.
    if (this.#socket.writableLength > limits.answerBytes) this.#socket.destroy();
    else this.#send(frameType.feed, 0, encodeValue(changes));
  }

  /** Ends the connection once what it asked is answered; a message that is still on its way in is not waited for. */
  async finish(): Promise<void> {
    for (const upload of this.#uploads.values()) upload.end('broken');
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#finished = resolve;
      });
    }
    await new Promise<void>((resolve) => {
      // A peer that reads nothing does not keep the writer from ending.
      const timer = setTimeout(resolve, lingerMs);
      this.#socket.end(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#socket.destroy();
  }

  #receive(octets: Buffer): void {
    try {
      for (const frame of this.#frames.push(octets)) this.#frame(frame);
    } catch (error) {
      this.#socket.destroy(error instanceof Error ? error : undefined);
    }
  }

  #frame(frame: Frame): void {
    switch (frame.type) {
      // The rest of a body that was refused is passed over.
      case frameType.body:
        this.#uploads.get(frame.id)?.push(frame.payload);
        break;
      case frameType.bodyEnd:
        this.#uploads.get(frame.id)?.end('whole');
        break;
      case frameType.discard:
        this.#uploads.get(frame.id)?.end('broken');
        this.#uploads.delete(frame.id);
        this.#giveUp(frame.id);
        break;
      case frameType.request:
        this.#request(frame);
        break;
      default:
        throw new StoreError('badIntent', `a frame of type ${frame.type}`);
    }
  }

  #upload(id: number, finalLineEnd: boolean): Upload {
    if (this.#uploads.has(id)) throw new StoreError('badIntent', `a second message under ${id}`);
    if (this.#taken.size >= uploadsMax) {
      throw new StoreError('limitExceeded', `more than ${uploadsMax} messages sent ahead and not used`);
    }
    const upload = new Upload(this.#writer, finalLineEnd, (bytes) => {
      const credit = Buffer.allocUnsafe(4);
      credit.writeUInt32BE(bytes, 0);
      this.#send(frameType.credit, id, credit);
    });
    this.#uploads.set(id, upload);
    return upload;
  }

  #request(frame: Frame): void {
    const request = decodeValue(frame.payload);
    this.#running++;
    // Bodies arrive behind what is not read: those who wait for one do not count.
    if (this.#running - this.#uploads.size >= limits.intentsInFlight) this.#socket.pause();
    this.#run(request)
      .then(
        (answer) => this.#send(frameType.answer, frame.id, encodeValue(answer ?? null)),
        (error: unknown) => this.#send(frameType.error, frame.id, encodeValue(describe(error))),
      )
      .finally(() => {
        this.#running--;
        if (this.#running - this.#uploads.size < limits.intentsInFlight) this.#socket.resume();
        if (this.#running === 0) this.#finished?.();
      });
  }

  async #run(request: unknown): Promise<unknown> {
    if (!Array.isArray(request)) throw new StoreError('badIntent', 'a request is a list');
    const [name, ...args]: unknown[] = request;
    if (name === 'feed') {
      this.#feed = true;
      return null;
    }
    if (name === 'take') return this.#take(args);
    if (name === 'pin') return this.#pin();
    if (name === 'unpin') return this.#unpin(args);
    const operation = typeof name === 'string' && Object.hasOwn(operations, name) ? operations[name] : undefined;
    if (operation === undefined) throw new StoreError('badIntent', `no request of the name ${String(name)}`);
    return operation.run(this.#writer, args, (id) => this.#use(id));
  }

  /** By id, from 0; undefined once released. */
  readonly #pins: (PinnedLog | undefined)[] = [];

  async #pin(): Promise<unknown> {
    if (this.#pins.filter((pin) => pin !== undefined).length >= pinsMax) {
      throw new StoreError('limitExceeded', `a connection pins the log ${pinsMax} times at most`);
    }
    const pinned = await this.#writer.pinLog();
    // The connection may have ended meanwhile, and released what it had.
    if (this.#socket.destroyed) await pinned.release();
    return { pin: this.#pins.push(pinned) - 1, durableLsn: pinned.durableLsn };
  }

  async #unpin([id]: readonly unknown[]): Promise<null> {
    const pinned = typeof id === 'number' ? this.#pins[id] : undefined;
    if (pinned === undefined) throw new StoreError('badIntent', `no pin ${String(id)}`);
    this.#pins[Number(id)] = undefined;
    await pinned.release();
    return null;
  }

  /** Begins an upload; answered with its size when it is whole. */
  async #take([id, finalLineEnd]: readonly unknown[]): Promise<unknown> {
    if (typeof id !== 'number' || typeof finalLineEnd !== 'boolean')
      throw new StoreError('badIntent', 'take: id, boolean');
    const { taken } = this.#upload(id, finalLineEnd);
    this.#taken.set(id, taken);
    try {
      return (await taken).size;
    } catch (error) {
      this.#taken.delete(id);
      throw error;
    } finally {
      this.#uploads.delete(id);
    }
  }

  /** The message sent under an id, once; waits for the end of it. */
  async #use(id: number): Promise<TakenMessage> {
    const taken = this.#taken.get(id);
    if (taken === undefined) throw new StoreError('badIntent', `no message was sent under ${id}`);
    this.#taken.delete(id);
    return taken;
  }

  /** Nobody will use the message: what went ahead of it into the log need not be kept for it. */
  #giveUp(id: number): void {
    const taken = this.#taken.get(id);
    this.#taken.delete(id);
    taken?.then(
      (message) => this.#writer.discard(message),
      () => undefined,
    );
  }

  #send(type: number, id: number, payload: Buffer): void {
    if (!this.#socket.destroyed) this.#out.send(type, id, payload);
  }
}

/** An error on its way over the socket. */
export interface Refusal {
  readonly code: StoreErrorCode;
  readonly message: string;
  readonly details: StoreError['details'];
}

function describe(error: unknown): Refusal {
  if (isStoreError(error)) return { code: error.code, message: error.message, details: error.details };
  return { code: 'ioError', message: errorText(error), details: {} };
}
