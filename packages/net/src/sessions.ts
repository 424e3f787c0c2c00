/** The sessions of a process: what `mstore who` shows, `mstore kick` ends and `mstore trace` follows (trace.ts). */
import { formatListenAddress } from './address.ts';
import type { Connection } from './connection.ts';
import { limits } from './limits.ts';
import { sessionId } from './log.ts';
import type { Metrics } from './metrics.ts';
import { type Clock, systemClock } from './sys/clock.ts';
import { type ContentForm, SessionTrace, TraceGathering, type TracePart } from './trace.ts';

/** A session as `who` shows it. */
export interface SessionRow {
  /** As in the log and in trace lines. */
  readonly id: string;
  readonly protocol: string;
  /** The client's address and port, `[::1]:52814` with IPv6; empty for a Unix socket. */
  readonly remote: string;
  readonly local: string;
  /** Empty before the login, and for protocols without one. */
  readonly login: string;
  /** The mailbox that is selected, by its name at that time; empty for none. */
  readonly mailbox: string;
  /** ms since 1970. */
  readonly since: number;
}

/** Which sessions to end: those of a login, or one by its id. */
export type SessionChoice = { readonly login: string } | { readonly id: string };

/** A session that runs. */
export interface Session {
  readonly id: string;
  login: string;
  mailbox: string;
  /** For what it hears; undefined while nobody traces it. */
  readonly trace: SessionTrace | undefined;
  /** Somebody says to be this login: who traces it sees how that goes on. */
  claim(login: string): void;
}

class OpenSession implements Session {
  readonly id: string = sessionId();
  readonly protocol: string;
  readonly connection: Connection;
  readonly form: ContentForm | undefined;
  readonly since: number;
  readonly #table: SessionTable;
  mailbox = '';
  trace: SessionTrace | undefined;
  #login = '';

  constructor(
    table: SessionTable,
    connection: Connection,
    protocol: string,
    form: ContentForm | undefined,
    since: number,
  ) {
    this.#table = table;
    this.connection = connection;
    this.protocol = protocol;
    this.form = form;
    this.since = since;
  }

  get login(): string {
    return this.#login;
  }

  set login(login: string) {
    this.#login = login;
    if (this.trace !== undefined) this.#table.settleTrace(this);
  }

  claim(login: string): void {
    if (this.trace !== undefined) this.#table.claimTrace(this, login);
  }
}

export class SessionTable {
  readonly #sessions = new Map<string, OpenSession>();
  readonly #clock: Clock;
  /** Traces under way, by the key of who asked for them. */
  readonly #gatherings = new Map<string, TraceGathering>();
  #forgetting: NodeJS.Timeout | undefined;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /**
   * Adds the session of a connection, which stays until the connection is closed.
   * @param form how its answers carry content; absent: it cannot be traced
   */
  open(connection: Connection, protocol: string, form?: ContentForm): Session {
    const session = new OpenSession(this, connection, protocol, form, this.#clock.now());
    this.#sessions.set(session.id, session);
    if (this.#gatherings.size > 0) this.#beginTrace(session);
    void connection.closed.then(() => {
      session.trace?.note('ended');
      this.#sessions.delete(session.id);
    });
    return session;
  }

  rows(): SessionRow[] {
    return [...this.#sessions.values()].map(({ id, login, mailbox, protocol, since, connection }) => {
      const { remoteAddress, remotePort, localAddress } = connection;
      const remote =
        remoteAddress === '' ? '' : formatListenAddress({ kind: 'tcp', host: remoteAddress, port: remotePort });
      return { id, protocol, remote, local: localAddress, login, mailbox, since };
    });
  }

  /** Ends sessions at their next command, or when that does not come soon, at once; returns how many. */
  kick(choice: SessionChoice): number {
    const chosen = [...this.#sessions.values()].filter((session) =>
      'id' in choice ? session.id === choice.id : session.login !== '' && session.login === choice.login,
    );
    for (const { connection } of chosen) {
      connection.finish();
      const timer = setTimeout(() => connection.destroy(), limits.kickMs);
      void connection.closed.then(() => clearTimeout(timer));
    }
    return chosen.length;
  }

  /**
   * What was said in the sessions of these logins, or with these ids, since the last question with this key; the first begins the
   * trace, and one that is not asked for `limits.traceForgetMs` ends.
   * @throws Error when there are too many traces
   */
  traced(key: string, names: readonly string[]): TracePart {
    const now = this.#clock.monotonic();
    const known = this.#gatherings.get(key);
    if (known !== undefined) {
      known.askedAt = now;
      return known.take();
    }
    if (this.#gatherings.size >= limits.traces) throw new Error('too many traces');
    const gathering = new TraceGathering(names, now);
    this.#gatherings.set(key, gathering);
    this.#forgetting ??= setInterval(() => this.#forget(), limits.traceForgetMs).unref();
    for (const session of this.#sessions.values()) {
      if (session.trace === undefined) this.#beginTrace(session);
      else if (gathering.wants(session.id) || gathering.wants(session.login)) session.trace.join(gathering);
    }
    return gathering.take();
  }

  /** A traced session got its login. */
  settleTrace(session: OpenSession): void {
    for (const gathering of this.#gatherings.values()) {
      if (gathering.wants(session.login) || gathering.wants(session.id)) session.trace?.join(gathering);
      else session.trace?.leave(gathering);
    }
    session.trace?.settle();
    endUnwanted(session);
  }

  /** Somebody claims a login in a session that may come to be traced. */
  claimTrace(session: OpenSession, login: string): void {
    for (const gathering of this.#gatherings.values()) if (gathering.mayWant(login)) session.trace?.join(gathering);
  }

  /** Traces a session that somebody wants, or may want once it has a login. */
  #beginTrace(session: OpenSession): void {
    const { id, protocol, form, login, connection } = session;
    if (form === undefined) return;
    const wanting = [...this.#gatherings.values()].filter((one) => one.wants(id) || one.wants(login));
    if (wanting.length === 0 && (login !== '' || form === 'none')) return;
    const now = (): number => this.#clock.now();
    const isUnderWay = connection.writtenBytes > 0 && !connection.isAwaitingCommand;
    const trace = new SessionTrace({ id, protocol, form, now, isUnderWay });
    session.trace = trace;
    connection.tap = (piece) => trace.said(piece);
    trace.note(`${protocol} from ${connection.remoteAddress || 'this machine'}`);
    for (const gathering of wanting) trace.join(gathering);
    if (login !== '' || form === 'none') trace.settle();
  }

  /** Ends the traces that nobody asks about any more. */
  #forget(): void {
    const now = this.#clock.monotonic();
    for (const [key, gathering] of this.#gatherings) {
      if (now - gathering.askedAt < limits.traceForgetMs) continue;
      this.#gatherings.delete(key);
      for (const session of this.#sessions.values()) {
        session.trace?.leave(gathering);
        endUnwanted(session);
      }
    }
    if (this.#gatherings.size > 0) return;
    clearInterval(this.#forgetting);
    this.#forgetting = undefined;
    for (const session of this.#sessions.values()) endTrace(session);
  }
}

function endUnwanted(session: OpenSession): void {
  if (session.trace?.isWanted === false) endTrace(session);
}

function endTrace(session: OpenSession): void {
  session.trace = undefined;
  session.connection.tap = undefined;
}

/**
 * What every daemon answers its supervisor (inherited.ts): `who`, `kick` with `id` or `login` and which, `trace` with a key and
 * names, `metrics`.
 */
export async function answerAbout(
  { sessions, metrics }: { readonly sessions: SessionTable; readonly metrics: Metrics },
  about: string,
  [kind = '', ...which]: readonly string[],
): Promise<unknown> {
  if (about === 'who') return sessions.rows();
  if (about === 'metrics') return metrics.json();
  if (about === 'trace') return sessions.traced(kind, which);
  const [name = ''] = which;
  const choice = kind === 'id' ? { id: name } : kind === 'login' ? { login: name } : undefined;
  if (about === 'kick' && choice !== undefined) return sessions.kick(choice);
  throw new Error(`nothing is known about ${about}`);
}
