/** The LMTP daemon: listeners whose connections are sessions, counted together. */
import {
  type Connection,
  ConnectionCounter,
  type ConnectionTimeouts,
  DeadlineWheel,
  isPeerError,
  type ListenAddress,
  Listener,
  type ListenerOptions,
  type OpenOptions,
  type SessionTable,
} from '@mstore/net';
import { limits } from './limits.ts';
import { type LmtpService, LmtpSession } from './lmtp-session.ts';
import { replies } from './reply.ts';

export interface LmtpdOptions extends LmtpService {
  readonly sessions: SessionTable;
  /** Connections at a time. */
  readonly connectionsMax: number;
  /** Where they are not those of net's limits.ts and, between commands, ours. */
  readonly timeouts?: ConnectionTimeouts;
}

export class Lmtpd {
  readonly #options: LmtpdOptions;
  readonly #listening: ListenerOptions;
  readonly #listeners: Listener[] = [];

  constructor(options: LmtpdOptions) {
    const { connectionsMax, log } = options;
    this.#options = options;
    this.#listening = {
      wheel: new DeadlineWheel(options.clock),
      // Mail servers are few, and each may have all the connections.
      counter: new ConnectionCounter(connectionsMax, connectionsMax),
      connectionsMax,
      idleTimeoutMs: limits.idleTimeoutMs,
      ...options.timeouts,
      serve: (connection) => this.#serve(connection),
      failed: (error) => {
        if (!isPeerError(error)) log.error('session failed', {}, error);
      },
      refusal: (why) => (why === 'stopping' ? replies.stopping : replies.busy),
      refused: (why, remoteAddress) => log.warn('connection refused', { why, remote: remoteAddress }),
      notAccepted: (error) => log.error('a connection could not be accepted', {}, error),
    };
  }

  /** Opens an address; gives it as it became. */
  async listen(address: ListenAddress, options: OpenOptions = {}): Promise<string> {
    return this.#add(await Listener.listen(address, { ...options, ...this.#listening }));
  }

  /** Takes connections from a listening socket that was inherited. */
  async listenOn(fd: number, address: string): Promise<string> {
    return this.#add(await Listener.listenOn(fd, this.#listening, address));
  }

  /** Takes no more connections, lets content under way finish, and ends the sessions. */
  async drain(deadlineMs: number): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.drain(deadlineMs)));
  }

  #add(listener: Listener): string {
    this.#listeners.push(listener);
    return listener.address;
  }

  #serve(connection: Connection): Promise<void> {
    const entry = this.#options.sessions.open(connection, 'lmtp', 'none');
    return new LmtpSession(connection, entry, this.#options).run();
  }
}
