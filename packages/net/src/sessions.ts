/** The sessions of a process: what `mstore who` shows and `mstore kick` ends. */
import type { Connection } from './connection.ts';
import { limits } from './limits.ts';
import { sessionId } from './log.ts';
import type { Metrics } from './metrics.ts';
import { type Clock, systemClock } from './sys/clock.ts';

/** A session as `who` shows it. */
export interface SessionRow {
  /** As in the log and in trace lines. */
  readonly id: string;
  readonly protocol: string;
  /** The client's address and port; empty for a Unix socket. */
  readonly remote: string;
  readonly local: string;
  /** Empty before the login, and for protocols without one. */
  readonly login: string;
  /** ms since 1970. */
  readonly since: number;
}

/** Which sessions to end: those of a login, or one by its id. */
export type SessionChoice = { readonly login: string } | { readonly id: string };

/** A session that runs. */
export interface Session {
  readonly id: string;
  login: string;
}

interface OpenSession extends Session {
  readonly protocol: string;
  readonly since: number;
  readonly connection: Connection;
}

export class SessionTable {
  readonly #sessions = new Map<string, OpenSession>();
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Adds the session of a connection, which stays until the connection is closed. */
  open(connection: Connection, protocol: string): Session {
    const session = { id: sessionId(), login: '', protocol, since: this.#clock.now(), connection };
    this.#sessions.set(session.id, session);
    void connection.closed.then(() => this.#sessions.delete(session.id));
    return session;
  }

  rows(): SessionRow[] {
    return [...this.#sessions.values()].map(({ id, login, protocol, since, connection }) => {
      const { remoteAddress, remotePort, localAddress } = connection;
      const remote = remoteAddress === '' ? '' : `${remoteAddress}:${remotePort}`;
      return { id, protocol, remote, local: localAddress, login, since };
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
}

/** What every daemon answers its supervisor (inherited.ts): `who`, `kick` with `id` or `login` and which, `metrics`. */
export async function answerAbout(
  { sessions, metrics }: { readonly sessions: SessionTable; readonly metrics: Metrics },
  about: string,
  [kind, which = '']: readonly string[],
): Promise<unknown> {
  if (about === 'who') return sessions.rows();
  if (about === 'metrics') return metrics.json();
  const choice = kind === 'id' ? { id: which } : kind === 'login' ? { login: which } : undefined;
  if (about === 'kick' && choice !== undefined) return sessions.kick(choice);
  throw new Error(`nothing is known about ${about}`);
}
