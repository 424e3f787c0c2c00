/**
 * The state of one session (RFC 1939 §3): who is at the other end, in which state, with which maildrop; and how it is answered. What
 * the commands do stands in commands/, how they are read in dialogue.ts.
 *
 * Invariant: there is a maildrop exactly in the TRANSACTION state.
 */
import type { User } from '@mstore/directory';
import { type Connection, LineReader, type Session as TableEntry } from '@mstore/net';
import { type Refusal, refusals } from './errors.ts';
import { limits } from './limits.ts';
import type { Maildrop } from './maildrop.ts';
import { err } from './reply.ts';
import type { Services } from './services.ts';

/** The states of RFC 1939 in which commands are taken; UPDATE takes none. */
export type State = 'authorization' | 'transaction';

export class Session {
  readonly services: Services;
  readonly connection: Connection;
  readonly lines: LineReader;
  /** The session in `who` and in the log. */
  readonly entry: TableEntry;
  /** What USER named, until PASS. */
  claimed: string | undefined;
  user: User | undefined;
  maildrop: Maildrop | undefined;
  /** True once no further command is read. */
  isOver = false;
  /** How it ended: for the log. */
  end: 'quit' | 'errors' | 'lost' = 'lost';
  /** Messages sent whole. */
  retrieved = 0;
  /** Messages expunged at QUIT. */
  expunged = 0;
  #badCommands = 0;

  constructor(services: Services, connection: Connection) {
    this.services = services;
    this.connection = connection;
    // Nothing but commands comes in, so a bare LF can hide nothing; people at a terminal send it.
    this.lines = new LineReader(connection, { lineBytesMax: limits.authLineBytes, bareLineFeed: 'ends' });
    this.entry = services.sessions.open(connection, 'pop3', 'dotted');
  }

  get state(): State {
    return this.maildrop === undefined ? 'authorization' : 'transaction';
  }

  /** Sends a reply; await what it returns, if anything, before the next. */
  say(text: string): Promise<void> | undefined {
    return this.connection.write(text);
  }

  refuse(refusal: Refusal): Promise<void> | undefined {
    return this.say(err(refusal));
  }

  /** Refuses what no proper client does; too much of it ends the session. */
  refuseBad(refusal: Refusal): Promise<void> | undefined {
    this.#badCommands += 1;
    if (this.#badCommands < limits.badCommandsMax) return this.refuse(refusal);
    this.isOver = true;
    this.end = 'errors';
    return this.say(err(refusal.code === '' ? refusals.tooManyErrors : refusal));
  }

  /** Goes over to the TRANSACTION state. */
  enter(user: User, maildrop: Maildrop): void {
    this.user = user;
    this.maildrop = maildrop;
    this.entry.login = user.address;
    this.lines.lineBytesMax = limits.lineBytes;
    this.connection.setDeadline(undefined);
  }
}
