/**
 * One session from greeting to end: reads commands, finds them in the table, and lets them answer one after the other. Commands
 * that came together are answered together.
 *
 * A peer that is idle too long is left without a word (RFC 1939 §3); without QUIT nothing is deleted.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type Connection, isPeerError, netLimits, type SessionTrace } from '@mstore/net';
import { commands } from './commands/table.ts';
import { type Refusal, refusalFor, refusals } from './errors.ts';
import { limits } from './limits.ts';
import { ok } from './reply.ts';
import type { Services } from './services.ts';
import { Session } from './session.ts';

const blank = 32;

/** Serves a connection until its session ends. */
export async function serveSession(services: Services, connection: Connection): Promise<void> {
  const session = new Session(services, connection);
  services.counters.sessions.add();
  connection.setDeadline(netLimits.loginTimeoutMs);
  try {
    // No angle brackets: they would offer APOP.
    session.say(ok('mstore ready'));
    await converse(session);
    await sayWhy(session);
  } finally {
    account(session);
  }
}

async function converse(session: Session): Promise<void> {
  const { lines, connection } = session;
  let turnBytes = connection.writtenBytes;
  for (let count = 1; !session.isOver; count += 1) {
    let line: Buffer | Refusal | undefined;
    try {
      line = await lines.next();
    } catch (error) {
      line = unreadable(error);
    }
    if (line === undefined) return;
    const answered = Buffer.isBuffer(line) ? execute(session, line) : session.refuseBad(line);
    if (answered !== undefined) await answered;
    if (count % limits.turnCommands !== 0 && connection.writtenBytes - turnBytes < limits.turnBytes) continue;
    await turn();
    turnBytes = connection.writtenBytes;
  }
}

/** What a line that was skipped is answered with; any other failure ends the session. */
function unreadable(error: unknown): Refusal {
  const refusal = isPeerError(error) ? refusalFor(error) : undefined;
  if (refusal === undefined) throw error;
  return refusal;
}

function execute(session: Session, line: Buffer): Promise<void> | undefined {
  const at = line.indexOf(blank);
  const keyword = line.toString('latin1', 0, at === -1 ? line.length : at).toUpperCase();
  const command = commands.get(keyword);
  if (session.entry.trace !== undefined) traceLine(session.entry.trace, keyword, line);
  if (command === undefined) return session.refuseBad(refusals.unknown);
  if (line.length > command.lineBytesMax) return session.refuseBad(refusals.lineTooLong);
  if (!command.states.includes(session.state)) {
    return session.refuseBad(session.maildrop === undefined ? refusals.logInFirst : refusals.loggedIn);
  }
  const run = command.read(at === -1 ? Buffer.alloc(0) : line.subarray(at + 1));
  if (run === undefined) return session.refuseBad(refusals.arguments);
  try {
    return run(session)?.catch((error: unknown) => fail(session, error));
  } catch (error) {
    return fail(session, error);
  }
}

const secretive: readonly string[] = ['PASS', 'AUTH', 'APOP'];

/** Of what is no command, nothing is shown: it may be a password that came a line late. */
function traceLine(trace: SessionTrace, keyword: string, line: Buffer): void {
  if (!commands.has(keyword)) trace.heard(`… (${line.length} octets, no command)`);
  else trace.heard(secretive.includes(keyword) && line.length > keyword.length ? `${keyword} …` : line);
  if (keyword === 'RETR' || keyword === 'TOP') trace.sendsMessage();
}

/** A command that failed, before it said anything: the session goes on, unless the connection is of no more use. */
function fail(session: Session, error: unknown): Promise<void> | undefined {
  const refusal = refusalFor(error);
  if (refusal === undefined || isPeerError(error)) throw error;
  session.services.log.error('command failed', { session: session.entry.id }, error);
  return session.refuse(refusal);
}

/** The last word where we end the session; the peer's own end and its idleness get none. */
async function sayWhy(session: Session): Promise<void> {
  if (session.isOver) return;
  const { farewell } = session.connection;
  if (farewell === 'drain') await session.refuse(refusals.stopping);
  else if (farewell === 'deadline') await session.refuse(refusals.loginTooLate);
}

/** One line in the log, and the metrics. */
function account(session: Session): void {
  const { connection, entry, services, end, retrieved, expunged, user } = session;
  const { counters, log } = services;
  const octets = connection.writtenBytes;
  counters.octets.add(octets);
  if (retrieved > 0) counters.retrieved.add(retrieved);
  if (expunged > 0) counters.expunged.add(expunged);
  const why = end === 'lost' ? (connection.farewell ?? 'broken') : end;
  const login = user?.address ?? '';
  log.info('session ended', { session: entry.id, login, why, retrieved, expunged, octets });
}
