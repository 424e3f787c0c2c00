/** Who is there: USER, PASS, APOP (RFC 1939 §7), AUTH (RFC 5034) and UTF8 (RFC 6856 §2). */
import { findMechanism, netLimits, PeerError, SaslDialogue, type SaslPassword } from '@mstore/net';
import { type Refusal, refusalFor, refusals } from '../errors.ts';
import { type LoginResult, logIn } from '../login.ts';
import { challenge, lines, ok } from '../reply.ts';
import type { Session } from '../session.ts';

/** Every name is welcome: which ones exist is not told before the password. */
export function user(session: Session, name: string): Promise<void> | undefined {
  session.claimed = name;
  return session.say(ok('and the password?'));
}

export function pass(session: Session, password: string): Promise<void> | undefined {
  const login = session.claimed;
  session.claimed = undefined;
  if (login === undefined) return session.refuseBad(refusals.userFirst);
  return enter(session, login, password);
}

export function apop(session: Session): Promise<void> | undefined {
  return session.refuse(refusals.noApop);
}

export function auth(
  session: Session,
  wanted: { readonly name: string | undefined; readonly initial: string | undefined },
): Promise<void> | undefined {
  const { mechanisms } = session.services;
  if (wanted.name === undefined) {
    return session.say(
      lines(
        'mechanisms follow',
        mechanisms.map(({ name }) => name),
      ),
    );
  }
  const mechanism = findMechanism(mechanisms, wanted.name);
  if (mechanism === undefined) return session.refuse(refusals.noMechanism);
  return exchange(session, new SaslDialogue(mechanism), wanted.initial);
}

async function exchange(session: Session, dialogue: SaslDialogue, initial: string | undefined): Promise<void> {
  const proof = await proofOf(session, dialogue, initial);
  if (proof === undefined) return;
  if (proof.authorization !== undefined) return session.refuseBad(refusals.otherIdentity);
  await enter(session, proof.login, proof.password);
}

/** Goes through the exchange; undefined when it ended without a password, which was answered. */
async function proofOf(
  session: Session,
  dialogue: SaslDialogue,
  initial: string | undefined,
): Promise<SaslPassword | undefined> {
  try {
    let turn = await dialogue.begin(initial);
    while (turn.kind === 'challenge') {
      session.entry.trace?.hides(challenge('…').trimEnd());
      session.say(challenge(turn.base64));
      const line = await session.lines.next();
      session.entry.trace?.heard('…');
      if (line === undefined) return undefined;
      turn = await dialogue.answer(line);
    }
    return turn;
  } catch (error) {
    const refusal = error instanceof PeerError ? refusalFor(error) : undefined;
    if (refusal === undefined) throw error;
    await session.refuseBad(refusal);
    return undefined;
  }
}

/** Answers stay what they are: everything is UTF-8 or ASCII already, and messages go out as they are stored. */
export function utf8(session: Session): Promise<void> | undefined {
  return session.say(ok('UTF-8 it is'));
}

async function enter(session: Session, login: string, password: string): Promise<void> {
  const { services, connection, entry } = session;
  const { log, counters } = services;
  const remote = connection.remoteAddress;
  entry.claim(login);
  const result = await attempt(session, login, password);
  if (result.kind === 'in') {
    counters.logins.add(1, { outcome: 'in' });
    const { user: who, maildrop } = result;
    session.enter(who, maildrop);
    log.info('login', { session: entry.id, login: who.address, remote, messages: maildrop.count });
    return session.say(ok('logged in'));
  }
  counters.logins.add(1, { outcome: result.outcome });
  const claimed = login.slice(0, netLimits.loginBytes);
  log.info('login refused', { session: entry.id, login: claimed, remote, why: result.outcome });
  return result.outcome === 'wrong' ? session.refuseBad(result.refusal) : session.refuse(result.refusal);
}

async function attempt(session: Session, login: string, password: string): Promise<LoginResult> {
  const { services, connection, entry } = session;
  try {
    return await logIn(services, login, password, connection.remoteAddress);
  } catch (error) {
    const refusal: Refusal | undefined = refusalFor(error);
    if (refusal === undefined) throw error;
    services.log.error('login not possible', { session: entry.id }, error);
    return { kind: 'refused', refusal, outcome: 'failed' };
  }
}
