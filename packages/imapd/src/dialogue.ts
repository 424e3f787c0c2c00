/**
 * One session from greeting to end: reads commands, finds them in the table, and lets them answer one after the other, so that
 * tagged answers come in the order of the commands however many were sent ahead.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type Connection, isPeerError, netLimits } from '@mstore/net';
import { capabilityLine } from './capability.ts';
import type { ReadCommand } from './command-reader.ts';
import { type Command, commands } from './dispatch.ts';
import { type Refusal, RefusedError, refusalFor, refusals, syntaxError, unreadable } from './errors.ts';
import { limits } from './limits.ts';
import { type Completion, taggedOk, untaggedOk } from './reply.ts';
import type { Services } from './services.ts';
import { Session } from './session.ts';
import { tellChanges } from './updates.ts';
import { Decoder } from './wire/decoder.ts';
import { announcedLiteral } from './wire/literal.ts';
import { octetClass } from './wire/octet-class.ts';

/** Serves a connection until its session ends. */
export async function serveSession(services: Services, connection: Connection): Promise<void> {
  const session = new Session(services, connection);
  services.counters.sessions.add();
  connection.setDeadline(netLimits.loginTimeoutMs);
  try {
    session.say(untaggedOk('mstore ready', capabilityLine(services, false)));
    await converse(session);
    await sayWhy(session);
  } finally {
    session.leave();
    account(session);
  }
}

async function converse(session: Session): Promise<void> {
  for (let count = 1; !session.isOver; count += 1) {
    const read = await session.commands.next();
    if (read === undefined) return;
    await execute(session, read);
    if (count % limits.turnCommands === 0) await turn();
  }
}

async function execute(session: Session, read: ReadCommand): Promise<void> {
  const decoder = new Decoder(read.kind === 'command' ? read.segments : [{ line: read.first }], session.isUtf8);
  const tag = decoder.tryRun(octetClass.tag) ?? '';
  if (tag === '' || tag.length > limits.tagBytes || !decoder.trySpace()) {
    return session.refuseBad('*', read.kind === 'refused' ? read.refusal : refusals.noTag);
  }
  const command = commands.get(nameOf(decoder));
  // What is no command may be a password, and its tag the first word of it.
  if (command === undefined) session.entry.trace?.hides('… BAD …');
  if (read.kind === 'refused') return session.refuseBad(tag, faultBefore(decoder, read, command) ?? read.refusal);
  if (command === undefined) return session.refuseBad(tag, refusals.unknown);
  const wrongTime = wrongTimeFor(session, command);
  if (wrongTime !== undefined) return session.refuseBad(tag, wrongTime);
  const run = command.read(decoder);
  if (run === undefined) return session.refuseBad(tag, unread(decoder));
  try {
    const done = await run(session, tag);
    if (done !== undefined) await complete(session, tag, done, command);
  } catch (error) {
    await fail(session, tag, error, command.keepsNumbers);
  }
}

/** In capitals; UID belongs to the name of the command behind it. */
function nameOf(decoder: Decoder): string {
  const name = decoder.tryName() ?? '';
  return name === 'UID' && decoder.trySpace() ? `UID ${decoder.tryName() ?? ''}` : name;
}

function wrongTimeFor({ state }: Session, { states }: Command): Refusal | undefined {
  if (states.includes(state)) return undefined;
  if (state === 'anonymous') return refusals.logInFirst;
  return states.includes('selected') ? refusals.selectFirst : refusals.loggedIn;
}

/** What is wrong in front of a literal that was too large: a message is refused as one only where APPEND cannot be read up to it. */
function faultBefore(
  decoder: Decoder,
  { first, refusal }: Extract<ReadCommand, { kind: 'refused' }>,
  command: Command | undefined,
): Refusal | undefined {
  const literal = refusal === refusals.literalTooLarge ? announcedLiteral(first) : undefined;
  if (literal === undefined || command === undefined) return undefined;
  command.read(decoder);
  return (decoder.failure?.at ?? literal.at) < literal.at ? unread(decoder) : undefined;
}

function unread({ failure }: Decoder): Refusal {
  const { kind, why, at } = failure ?? { kind: 'syntax', why: 'expected something else', at: 0 };
  return kind === 'syntax' ? syntaxError(why, at) : unreadable(kind, why);
}

/** What was asked of a mailbox that is gone is not answered: it would seem to be empty. */
async function complete(session: Session, tag: string, done: Completion, command: Command): Promise<void> {
  session.succeed();
  await tellChanges(session, command.keepsNumbers);
  if (session.end !== 'deleted' || command.states.includes('authenticated')) await session.say(taggedOk(tag, done));
}

/** A command that failed: the session goes on, unless the connection is of no more use. */
async function fail(session: Session, tag: string, error: unknown, keepsNumbers: boolean): Promise<void> {
  const refusal = refusalFor(error);
  if (refusal === undefined || (isPeerError(error) && refusal.status === 'BYE')) throw error;
  if (refusal.status === 'BAD' || refusal === refusals.wrong) return session.refuseBad(tag, refusal);
  if (!(error instanceof RefusedError) && isOurs(refusal)) {
    session.services.log.error('command failed', { session: session.entry.id }, error);
  }
  await tellChanges(session, keepsNumbers);
  await session.refuse(tag, refusal);
}

/** What the administrator should hear of; that a name is taken or missing is the client's affair. */
function isOurs({ code }: Refusal): boolean {
  return ['UNAVAILABLE', 'SERVERBUG', 'CONTACTADMIN', 'CORRUPTION'].includes(code);
}

/** The last word where we end the session; the peer's own end gets none. */
async function sayWhy(session: Session): Promise<void> {
  if (session.end === 'deleted') return session.refuse('*', refusals.mailboxDeleted);
  if (session.isOver) return;
  const { farewell } = session.connection;
  if (farewell === 'drain') await session.refuse('*', refusals.stopping);
  else if (farewell === 'deadline') await session.refuse('*', refusals.loginTooLate);
  else if (farewell === 'idle') await session.refuse('*', refusals.idle);
}

/** One line in the log, and the metrics. */
function account(session: Session): void {
  const { connection, entry, services, end, user } = session;
  const octets = connection.bytesOut + connection.unsentBytes;
  services.counters.octets.add(octets);
  const why = end === 'lost' ? (connection.farewell ?? 'broken') : end;
  services.log.info('session ended', { session: entry.id, login: user?.address ?? '', why, octets });
}
