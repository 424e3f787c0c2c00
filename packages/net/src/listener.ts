/**
 * Takes connections and hands each to a session, within limits: in all, of this listener, and from one address. Who comes
 * beyond a limit gets the protocol's line and is disconnected. The listening socket is opened here, or was opened by a
 * supervisor that keeps it across restarts.
 *
 * Invariant: a connection is counted from its acceptance until its socket is closed, whatever its session does.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { boundAddress, formatListenAddress, type ListenAddress, type OpenOptions, openServer } from './address.ts';
import { Connection, type ConnectionTimeouts } from './connection.ts';
import type { ConnectionCounter, TooMany } from './connection-counter.ts';
import type { DeadlineWheel } from './deadline.ts';
import { invariant, isPeerError, PeerError } from './errors.ts';
import { limits } from './limits.ts';

/** Why a connection is not served. */
export type Refusal = TooMany | 'stopping';

export interface ListenerOptions extends ConnectionTimeouts {
  readonly wheel: DeadlineWheel;
  readonly counter: ConnectionCounter;
  /** Connections of this listener. */
  readonly connectionsMax?: number;
  /** Runs a session; when it returns, the connection is ended, when it throws, broken off: behind what was written before, if the
   *  peer only ended its side too early. */
  readonly serve: (connection: Connection) => Promise<void>;
  /** What a session threw: a PeerError is the peer's doing, everything else ours. */
  readonly failed: (error: unknown, connection: Connection) => void;
  /** What a refused peer is told, line end included. */
  readonly refusal: (why: Refusal) => string;
  /** Told of each refusal, for log and metrics. */
  readonly refused?: (why: Refusal, remoteAddress: string) => void;
  /** Told of a connection that the kernel could not hand over: no descriptor left, or broken while it waited. */
  readonly notAccepted?: (error: Error) => void;
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #connections = new Set<Connection>();
  /** Sessions that run; one may go on behind its connection's end, such as a POP3 update that the writer has not answered yet. */
  readonly #running = new Set<Promise<void>>();
  #server: Server | undefined;
  #address: string;
  #stopping = false;

  private constructor(options: ListenerOptions, address: string) {
    this.#options = options;
    this.#address = address;
  }

  /** Opens an address and takes connections there. */
  static async listen(address: ListenAddress, options: ListenerOptions & OpenOptions): Promise<Listener> {
    const listener = new Listener(options, '');
    const server = listener.#makeServer();
    listener.#address = formatListenAddress(await openServer(server, address, options));
    listener.#bearErrors(server);
    return listener;
  }

  /**
   * Takes connections from a socket that somebody else opened: the descriptor of an inherited one, or a server that came over
   * an IPC channel. A Unix socket has no name here: `address` gives it.
   */
  static async listenOn(from: Server | number, options: ListenerOptions, address?: string): Promise<Listener> {
    const listener = new Listener(options, address ?? '');
    const server = typeof from === 'number' ? listener.#makeServer() : from;
    if (typeof from === 'number') {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ fd: from, backlog: limits.backlog }, resolve);
      });
    } else listener.#attach(server);
    listener.#address = address ?? formatListenAddress(boundAddress(server));
    listener.#bearErrors(server);
    return listener;
  }

  /** Takes only connections that `adopt` is given. */
  static unbound(options: ListenerOptions, address: string): Listener {
    return new Listener(options, address);
  }

  /** Where it listens, with the port it got: `127.0.0.1:2424`, `unix:PATH`. */
  get address(): string {
    return this.#address;
  }

  /** The connections that are open now. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** Serves a connection that another process accepted. */
  adopt(socket: Socket): void {
    const remoteAddress = socket.remoteAddress ?? '';
    const refusal = this.#refusalFor(remoteAddress);
    if (refusal !== undefined) {
      this.#options.refused?.(refusal, remoteAddress);
      refuse(socket, this.#options.refusal(refusal));
      return;
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    const connection = new Connection(socket, {
      ...timeoutsOf(this.#options),
      wheel: this.#options.wheel,
      remoteAddress,
      remotePort: socket.remotePort ?? 0,
      localAddress: this.#address,
    });
    this.#connections.add(connection);
    void connection.closed.then(() => {
      this.#connections.delete(connection);
      this.#options.counter.leave(remoteAddress);
    });
    const run = this.#run(connection).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /**
   * Accepts no more, asks the sessions to end, and after `deadlineMs` breaks off what is left. Resolves when all connections are
   * closed, and the sessions behind them have returned or had `deadlineMs` to.
   */
  async drain(deadlineMs: number = limits.drainMs): Promise<void> {
    this.#stopping = true;
    const closed = new Promise<void>((resolve) => {
      if (this.#server === undefined || !this.#server.listening) resolve();
      else this.#server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.finish();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        const reason = new PeerError('gone', 'the session did not end in time: we are stopping');
        for (const connection of this.#connections) connection.destroy(reason);
        resolve();
      }, deadlineMs);
    });
    await Promise.all([...this.#connections].map((connection) => connection.closed));
    await Promise.race([Promise.all(this.#running), late]);
    await closed;
    clearTimeout(timer);
  }

  #makeServer(): Server {
    // A peer may end its side and still wait for our answers.
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    this.#attach(server);
    return server;
  }

  #attach(server: Server): void {
    invariant(this.#server === undefined, 'a listener has one server');
    this.#server = server;
    server.on('connection', (socket: Socket) => this.adopt(socket));
  }

  /** A server that listens goes on behind a failed accept(2); Node would end the process where nobody hears of it. */
  #bearErrors(server: Server): void {
    server.on('error', (error) => this.#options.notAccepted?.(error));
  }

  #refusalFor(remoteAddress: string): Refusal | undefined {
    if (this.#stopping) return 'stopping';
    if (this.#connections.size >= (this.#options.connectionsMax ?? limits.listenerConnections)) return 'tooMany';
    return this.#options.counter.enter(remoteAddress);
  }

  async #run(connection: Connection): Promise<void> {
    try {
      await this.#options.serve(connection);
      await connection.end();
    } catch (error) {
      // Who ended its side in the middle of something may still wait for what was answered before.
      if (isPeerError(error, 'gone') && connection.isOpen) void connection.end();
      else connection.destroy(error instanceof Error ? error : undefined);
      this.#options.failed(error, connection);
    }
  }
}

function timeoutsOf(options: ConnectionTimeouts): ConnectionTimeouts {
  const { idleTimeoutMs, lineTimeoutMs, stallTimeoutMs } = options;
  return {
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
    ...(lineTimeoutMs !== undefined && { lineTimeoutMs }),
    ...(stallTimeoutMs !== undefined && { stallTimeoutMs }),
  };
}

/** One line, which fits the kernel's buffer, and the end. */
function refuse(socket: Socket, line: string): void {
  socket.on('error', () => socket.destroy());
  socket.end(line, () => socket.destroy());
}
