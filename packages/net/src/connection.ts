/**
 * One peer: octets in as they are asked for, octets out as fast as they are taken, and the time it is given for both. Reading is
 * pulled: what is not asked for stays in the kernel but for `limits.readAheadBytes`; and a peer that does not take our
 * answers gets no further question read, so its memory here is bounded by both limits whatever a session does.
 *
 * A session ends in one of two ways. Between commands, the peer's end, a drain, an idle peer and the deadline of the login
 * all look alike: `read('command')` gives undefined, and `farewell` says why, so that the session can say goodbye and
 * return. In the middle of something, reading throws a PeerError.
 *
 * Invariants: one reader at a time; time runs only while we wait for the peer, never while we work; after
 * `destroy` nothing is pending.
 */
import type { Duplex } from 'node:stream';
import type { Deadline, DeadlineWheel } from './deadline.ts';
import { errnoOf, errorText, invariant, PeerError } from './errors.ts';
import { limits } from './limits.ts';
import { WriteQueue } from './write-queue.ts';

/** What a read waits for: a command's first octets, the rest of a line, or content of a known end. Each has its timeout. */
export type ReadStage = 'command' | 'line' | 'content';

/** Why no further command comes: the peer ended, we are stopping, it was idle, or it is late with its login. */
export type Farewell = 'peer' | 'drain' | 'idle' | 'deadline';

/** How long to wait for the peer; defaults in `limits`. */
export interface ConnectionTimeouts {
  /** ms between commands. */
  readonly idleTimeoutMs?: number;
  /** ms of waiting for the rest of a line. */
  readonly lineTimeoutMs?: number;
  /** ms of waiting in which content must move by `limits.progressBytes`, in or out. */
  readonly stallTimeoutMs?: number;
}

export interface ConnectionOptions extends ConnectionTimeouts {
  readonly wheel: DeadlineWheel;
  /** The peer's IP address; empty for a Unix socket. */
  readonly remoteAddress: string;
  readonly remotePort?: number;
  /** Our side as `address:port` or `unix:PATH`. */
  readonly localAddress: string;
}

/** Every connection ends with it, and hardly any is asked again: not worth a stack each. */
const connectionClosed = new PeerError('gone', 'the connection is closed');

interface Reader {
  readonly resolve: (octets: Buffer | undefined) => void;
  readonly reject: (error: Error) => void;
}

export class Connection {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  /** Given everything that is written, for a trace; undefined while nobody looks on. */
  tap: ((piece: Buffer | string) => void) | undefined;
  /** Settles when the connection is closed, however that came. */
  readonly closed: Promise<void>;
  #resolveClosed: () => void = () => undefined;
  #socket: Duplex;
  readonly #writes: WriteQueue;
  readonly #wheel: DeadlineWheel;
  readonly #deadline: Deadline;
  #idleTimeoutMs: number;
  readonly #lineTimeoutMs: number;
  readonly #stallTimeoutMs: number;

  #unread: Buffer[] = [];
  #unreadBytes = 0;
  #bytesIn = 0;
  #reader: Reader | undefined;
  #peerEnded = false;
  #ending = false;
  #farewell: Farewell | undefined;
  #isDraining = false;
  #failure: Error | undefined;
  /** The last octets are written; what still comes is dropped until this time. */
  #lingerUntil: number | undefined;

  #stage: ReadStage = 'command';
  /** Since when the reader waits; undefined when nobody does. */
  #waitingSince: number | undefined;
  /** ms already waited in this stage without progress. */
  #waitedMs = 0;
  #progressMark = 0;
  #finishBy = Number.POSITIVE_INFINITY;

  constructor(socket: Duplex, options: ConnectionOptions) {
    this.remoteAddress = options.remoteAddress;
    this.remotePort = options.remotePort ?? 0;
    this.localAddress = options.localAddress;
    this.#socket = socket;
    this.#wheel = options.wheel;
    this.#deadline = options.wheel.add(() => this.#expire());
    this.#idleTimeoutMs = options.idleTimeoutMs ?? limits.idleTimeoutMs;
    this.#lineTimeoutMs = options.lineTimeoutMs ?? limits.lineTimeoutMs;
    this.#stallTimeoutMs = options.stallTimeoutMs ?? limits.stallTimeoutMs;
    this.#writes = new WriteQueue(socket, { now: () => options.wheel.now(), blocked: () => this.#arm() });
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#attach();
  }

  /** Octets received, read or not. */
  get bytesIn(): number {
    return this.#bytesIn;
  }

  /** Octets that the kernel took from us. */
  get bytesOut(): number {
    return this.#writes.sentBytes;
  }

  /** Octets written, taken or not. */
  get writtenBytes(): number {
    return this.#writes.sentBytes + this.#writes.unsentBytes;
  }

  /** Octets written that the kernel has not taken. */
  get unsentBytes(): number {
    return this.#writes.unsentBytes;
  }

  /** Octets received and not read. */
  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  get isOpen(): boolean {
    return this.#failure === undefined && this.#lingerUntil === undefined;
  }

  /** Why no further command comes; undefined while commands are welcome. */
  get farewell(): Farewell | undefined {
    return this.#farewell ?? (this.#peerEnded && this.#unreadBytes === 0 ? 'peer' : undefined);
  }

  /** True when the session should end although the peer may have sent more. */
  get isLeaving(): boolean {
    return this.#farewell !== undefined;
  }

  /** True while a read waits for a command. */
  get isAwaitingCommand(): boolean {
    return this.#reader !== undefined && this.#stage === 'command';
  }

  /**
   * The next octets as they came; the caller owns them. Undefined when the peer ended, and in stage `command` on every other
   * farewell.
   * @throws {PeerError} gone, timeout; or what `destroy` was given
   */
  read(stage: ReadStage = 'content'): Promise<Buffer | undefined> {
    const room = this.#writes.room();
    return room === undefined ? this.#readOn(stage) : room.then(() => this.#readOn(stage));
  }

  /** One promise and no more for a read that waits: there is one for each command. */
  #readOn(stage: ReadStage): Promise<Buffer | undefined> {
    invariant(this.#reader === undefined, 'one reader at a time');
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#farewell !== undefined) {
      if (stage === 'command') return Promise.resolve(undefined);
      if (this.#farewell !== 'drain') return Promise.reject(this.#late());
    }
    const octets = this.take();
    if (octets !== undefined || this.#peerEnded) return Promise.resolve(octets);
    this.#beginWait(stage);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** Octets that are here already; undefined when a read would wait. */
  take(): Buffer | undefined {
    const octets = this.#unread.shift();
    if (octets === undefined) return undefined;
    this.#unreadBytes -= octets.length;
    if (this.#unreadBytes < limits.readAheadBytes) this.#socket.resume();
    return octets;
  }

  /** Gives octets back, to be read again first. */
  pushBack(octets: Buffer): void {
    if (octets.length === 0) return;
    this.#unread.unshift(octets);
    this.#unreadBytes += octets.length;
  }

  /** A unit of the protocol is complete: the time allowed for it begins again. */
  progress(): void {
    this.#waitedMs = 0;
    this.#progressMark = this.#bytesIn;
  }

  /**
   * Sends octets or UTF-8 text, together with what else this turn writes. Returns a promise when the peer lags behind:
   * `await` the result before writing more. The buffer must not change any more.
   * @throws {PeerError} gone, timeout; or what `destroy` was given
   */
  write(piece: Buffer | string): Promise<void> | undefined {
    invariant(!this.#ending, 'nothing is written after the end');
    this.tap?.(piece);
    return this.#writes.write(piece);
  }

  /** Resolves when the kernel has everything that was written. */
  flush(): Promise<void> {
    return this.#writes.flush();
  }

  /** The time between commands from now on; logged-in sessions are given more. */
  setIdleTimeout(ms: number): void {
    this.#idleTimeoutMs = ms;
    this.#arm();
  }

  /** Something, such as the login, must be over in `ms`; undefined when it is. */
  setDeadline(ms: number | undefined): void {
    this.#finishBy = ms === undefined ? Number.POSITIVE_INFINITY : this.#wheel.now() + ms;
    // It passed while we were at work: what is done now must not be told to have taken too long.
    if (ms === undefined && this.#farewell === 'deadline') this.#farewell = this.#isDraining ? 'drain' : undefined;
    this.#arm();
  }

  /** Asks the session to end at the next command boundary; content under way is finished. */
  finish(): void {
    this.#isDraining = true;
    this.#leave('drain');
  }

  /**
   * Sends what is written, then ends; resolves when the peer has ended too, or `limits.lingerMs` later. What the peer still sends
   * is dropped, and a read under way gives undefined.
   */
  async end(): Promise<void> {
    if (this.isOpen && !this.#ending) {
      this.#ending = true;
      this.#answer(undefined);
      await this.#writes.flush().catch(() => undefined);
      this.#unread = [];
      this.#unreadBytes = 0;
      this.#lingerUntil = this.#wheel.now() + limits.lingerMs;
      this.#arm();
      this.#socket.end();
      // What arrives and is not read makes the kernel send a reset, which can overtake our last reply.
      this.#socket.resume();
    }
    await this.closed;
  }

  /** Ends at once; whoever reads, writes or flushes gets `reason`. */
  destroy(reason: Error = new PeerError('gone', 'the connection was closed')): void {
    this.#fail(reason);
    this.#socket.destroy();
  }

  /**
   * Goes on over another transport made from this one (TLS, compression). What was written is sent before; `make` gets what
   * the peer has sent ahead, and throws `PeerError` unreadBeforeUpgrade where that must not be.
   */
  async upgrade(make: (transport: Duplex, unread: Buffer) => Duplex): Promise<void> {
    invariant(this.#reader === undefined, 'nobody reads during an upgrade');
    await this.#writes.flush();
    const below = this.#socket;
    below.pause();
    below.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose);
    const unread = Buffer.concat(this.#unread.splice(0));
    this.#unreadBytes = 0;
    const above = make(below, unread);
    below.once('close', () => above.destroy());
    above.once('close', () => below.destroy());
    this.#socket = above;
    this.#writes.moveTo(above);
    this.#attach();
  }

  #attach(): void {
    this.#socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose).on('error', this.#onError);
  }

  readonly #onData = (octets: Buffer): void => {
    if (!this.isOpen) return;
    this.#bytesIn += octets.length;
    if (this.#reader !== undefined) {
      this.#answer(octets);
      return;
    }
    if (this.#ending) return;
    this.#unread.push(octets);
    this.#unreadBytes += octets.length;
    if (this.#unreadBytes >= limits.readAheadBytes) this.#socket.pause();
  };

  readonly #onEnd = (): void => {
    this.#peerEnded = true;
    this.#answer(undefined);
  };

  readonly #onError = (error: Error): void => {
    this.#fail(new PeerError('gone', `the connection broke: ${errnoOf(error) ?? errorText(error)}`, error));
    this.#socket.destroy();
  };

  readonly #onClose = (): void => {
    this.#fail(connectionClosed);
    this.#deadline.remove();
    this.#resolveClosed();
  };

  /** Gives the waiting reader what it waits for. */
  #answer(octets: Buffer | undefined): void {
    const reader = this.#endWait();
    reader?.resolve(octets);
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#unread = [];
    this.#unreadBytes = 0;
    this.#writes.fail(error);
    this.#endWait()?.reject(error);
  }

  #leave(why: Farewell): void {
    // A drain is patient with content; what comes after it is not.
    if (this.#farewell === undefined || this.#farewell === 'drain') this.#farewell = why;
    if (this.#reader === undefined) return;
    if (this.#stage === 'command') this.#answer(undefined);
    else if (why !== 'drain') this.#endWait()?.reject(this.#late());
  }

  #late(): PeerError {
    return new PeerError('timeout', `nothing came in time (${this.#stage})`);
  }

  #beginWait(stage: ReadStage): void {
    const moved = this.#bytesIn - this.#progressMark >= limits.progressBytes;
    if (stage !== this.#stage || stage === 'command' || (stage === 'content' && moved)) this.progress();
    this.#stage = stage;
    this.#waitingSince = this.#wheel.now();
    this.#arm();
  }

  #endWait(): Reader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    if (this.#waitingSince !== undefined) this.#waitedMs += this.#wheel.now() - this.#waitingSince;
    this.#waitingSince = undefined;
    return reader;
  }

  /** When the waiting reader has waited long enough. */
  #readDue(): number {
    if (this.#waitingSince === undefined) return Number.POSITIVE_INFINITY;
    const allowed = { command: this.#idleTimeoutMs, line: this.#lineTimeoutMs, content: this.#stallTimeoutMs };
    return this.#waitingSince + allowed[this.#stage] - this.#waitedMs;
  }

  #writeDue(): number {
    const since = this.#writes.waitingSince;
    return since === undefined ? Number.POSITIVE_INFINITY : since + this.#stallTimeoutMs;
  }

  /** The deadline is only ever found too early, and then looks again: ends of waits need not move it. */
  #arm(): void {
    const linger = this.#lingerUntil ?? Number.POSITIVE_INFINITY;
    this.#deadline.set(Math.min(linger, this.#finishBy, this.#readDue(), this.#writeDue()));
  }

  #expire(): void {
    const now = this.#wheel.now();
    if (this.#lingerUntil !== undefined && this.#lingerUntil <= now) {
      this.#socket.destroy();
      return;
    }
    if (this.#writeDue() <= now) {
      this.destroy(new PeerError('timeout', `the peer does not read: ${this.unsentBytes} octets wait`));
      return;
    }
    if (this.#finishBy <= now) {
      this.#finishBy = Number.POSITIVE_INFINITY;
      this.#leave('deadline');
    }
    if (this.#readDue() <= now) this.#leave('idle');
    this.#arm();
  }
}
