/**
 * The state of one session (RFC 9051 §3): who is at the other end, in which state, with which mailbox; and how it is answered. What
 * the commands do stands in commands/, how they are read in dialogue.ts.
 *
 * Invariants: there is an account exactly behind the login, and a selected mailbox only then.
 */
import type { User } from '@mstore/directory';
import { type Connection, LineReader, type Session as TableEntry } from '@mstore/net';
import type { AccountId } from '@mstore/store';
import { CommandReader, loggedInBounds } from './command-reader.ts';
import { type Refusal, refusals } from './errors.ts';
import { limits } from './limits.ts';
import { continuation, refused } from './reply.ts';
import type { Selected } from './selected.ts';
import type { Services } from './services.ts';
import { Encoder } from './wire/encoder.ts';
import { endsWithMessage } from './wire/mailbox-arguments.ts';

/** The states of RFC 9051 §3 in which commands are taken. */
export type State = 'anonymous' | 'authenticated' | 'selected';

export class Session {
  readonly services: Services;
  readonly connection: Connection;
  readonly lines: LineReader;
  readonly commands: CommandReader;
  /** The session in `who` and in the log. */
  readonly entry: TableEntry;
  user: User | undefined;
  #account: AccountId | undefined;
  #selected: Selected | undefined;
  /** What ENABLE switched on. */
  readonly enabled: Set<string> = new Set();
  /** MODSEQs are told: CONDSTORE is in use (RFC 7162 §3.1). */
  wantsModSeqs = false;
  /** Both sides compress (RFC 4978). */
  isCompressed = false;
  /** True once no further command is read. */
  isOver = false;
  /** How it ended: for the log. */
  end: 'logout' | 'errors' | 'deleted' | 'lost' = 'lost';
  #badCommands = 0;

  constructor(services: Services, connection: Connection) {
    this.services = services;
    this.connection = connection;
    // Nothing but commands comes in lines, so a bare LF can hide nothing; people at a terminal send it.
    this.lines = new LineReader(connection, { lineBytesMax: limits.anonymousCommandBytes, bareLineFeed: 'ends' });
    this.commands = new CommandReader(this.lines, {
      invite: () => this.say(continuation('go on')),
      heard: (octets, first) => this.entry.trace?.heard(services.shownOf(octets, first)),
      isMessage: (segments) => this.#account !== undefined && endsWithMessage(segments, this.isUtf8),
    });
    this.entry = services.sessions.open(connection, 'imap', 'literals');
  }

  /** Names and strings are UTF-8, both ways. */
  get isUtf8(): boolean {
    return this.isRev2 || this.enabled.has('UTF8=ACCEPT');
  }

  /** The client speaks IMAP4rev2 (RFC 9051 §6.3.1): nothing is recent, and SEARCH is answered with ESEARCH. */
  get isRev2(): boolean {
    return this.enabled.has('IMAP4rev2');
  }

  /** What goes is told by UID: QRESYNC is in use (RFC 7162 §3.2.3). */
  get wantsVanished(): boolean {
    return this.enabled.has('QRESYNC');
  }

  get state(): State {
    if (this.#selected !== undefined) return 'selected';
    return this.#account === undefined ? 'anonymous' : 'authenticated';
  }

  /** Behind the login. */
  get account(): AccountId {
    if (this.#account === undefined) throw new Error('the session has no account before the login');
    return this.#account;
  }

  get selected(): Selected | undefined {
    return this.#selected;
  }

  /** What was selected before is left. */
  set selected(selected: Selected | undefined) {
    this.#selected?.leave();
    this.#selected = selected;
    if (selected === undefined) this.entry.mailbox = '';
  }

  /** Sends a line or more; await what it returns, if anything, before the next. */
  say(text: string | Buffer): Promise<void> | undefined {
    return this.connection.write(text);
  }

  /** For an answer of this session. */
  encoder(): Encoder {
    return new Encoder(this.isUtf8);
  }

  /** Answers a command with a refusal; BYE ends the session. */
  refuse(tag: string, refusal: Refusal): Promise<void> | undefined {
    if (refusal.status === 'BYE') this.isOver = true;
    return this.say(refused(tag, refusal));
  }

  /** Refuses what no proper client does; too much of it in a row ends the session. */
  async refuseBad(tag: string, refusal: Refusal): Promise<void> {
    this.#badCommands += 1;
    await this.refuse(tag, refusal);
    if (this.#badCommands < limits.badCommandsMax || this.isOver) return;
    this.end = 'errors';
    await this.refuse(tag, refusals.tooManyErrors);
  }

  /** A command went well: errors count anew. */
  succeed(): void {
    this.#badCommands = 0;
  }

  /** Is over: nothing is watched for it any more. */
  leave(): void {
    this.selected = undefined;
    if (this.#account !== undefined) this.services.userSessions.add(String(this.#account), -1);
  }

  /** Goes over to the authenticated state. */
  enter(user: User, account: AccountId): void {
    this.user = user;
    this.#account = account;
    this.services.userSessions.add(String(account), 1);
    this.entry.login = user.address;
    this.lines.lineBytesMax = limits.lineBytes;
    this.commands.bounds = loggedInBounds;
    this.connection.setDeadline(undefined);
    this.connection.setIdleTimeout(limits.idleTimeoutMs);
  }
}
