/** Who is there: LOGIN (RFC 9051 §6.2.3) and AUTHENTICATE (§6.2.2, with the initial response of RFC 4959). */
import { findMechanism, netLimits, SaslDialogue, type SaslPassword } from '@mstore/net';
import { capabilityLine } from '../capability.ts';
import { type Refusal, RefusedError, refusalFor, refusals } from '../errors.ts';
import { type LoginResult, logIn } from '../login.ts';
import { type Completion, completed, continuation } from '../reply.ts';
import type { Session } from '../session.ts';
import { type Decoder, textOf } from '../wire/decoder.ts';

interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** Both in UTF-8, whatever is enabled: clients send passwords as people typed them. */
export function expectLogin(decoder: Decoder): Credentials {
  const name = expectText(decoder, 'a login');
  decoder.expectSpace('a password');
  return { name, password: expectText(decoder, 'a password') };
}

function expectText(decoder: Decoder, what: string): string {
  const text = textOf(decoder.expectAstring(what));
  if (text === undefined) decoder.fail(`${what} in UTF-8`);
  return text ?? '';
}

export function login(session: Session, { name, password }: Credentials): Promise<Completion> {
  return enter(session, name, password);
}

interface Wanted {
  readonly mechanism: string;
  /** Base64, or `=` for an empty one. */
  readonly initial: string | undefined;
}

export function expectAuthenticate(decoder: Decoder): Wanted {
  const mechanism = decoder.expectAtom('a mechanism');
  return { mechanism, initial: decoder.trySpace() ? decoder.expectAtom('an initial response') : undefined };
}

export async function authenticate(session: Session, wanted: Wanted): Promise<Completion | undefined> {
  const mechanism = findMechanism(session.services.mechanisms, wanted.mechanism);
  if (mechanism === undefined) throw new RefusedError(refusals.noMechanism);
  const proof = await proofOf(session, new SaslDialogue(mechanism), wanted.initial);
  if (proof === undefined) return undefined;
  if (proof.authorization !== undefined) throw new RefusedError(refusals.otherIdentity);
  return enter(session, proof.login, proof.password);
}

/** Goes through the exchange; undefined when the connection ended within it. */
async function proofOf(
  session: Session,
  dialogue: SaslDialogue,
  initial: string | undefined,
): Promise<SaslPassword | undefined> {
  let turn = await dialogue.begin(initial);
  while (turn.kind === 'challenge') {
    session.entry.trace?.hides(continuation('…').trimEnd());
    session.say(continuation(turn.base64));
    const line = await session.lines.next();
    session.entry.trace?.heard('…');
    if (line === undefined) return undefined;
    turn = await dialogue.answer(line);
  }
  return turn;
}

async function enter(session: Session, name: string, password: string): Promise<Completion> {
  const { services, connection, entry } = session;
  const { log, counters } = services;
  const remote = connection.remoteAddress;
  entry.claim(name);
  const result = await attempt(session, name, password);
  if (result.kind === 'in') {
    counters.logins.add(1, { outcome: 'in' });
    session.enter(result.user, result.account);
    log.info('login', { session: entry.id, login: result.user.address, remote });
    return completed('logged in', capabilityLine(services, true));
  }
  counters.logins.add(1, { outcome: result.outcome });
  const claimed = name.slice(0, netLimits.loginBytes);
  log.info('login refused', { session: entry.id, login: claimed, remote, why: result.outcome });
  throw new RefusedError(result.refusal);
}

async function attempt(session: Session, name: string, password: string): Promise<LoginResult> {
  const { services, connection, entry } = session;
  try {
    return await logIn(services, name, password, connection.remoteAddress);
  } catch (error) {
    const refusal: Refusal | undefined = refusalFor(error);
    if (refusal === undefined) throw error;
    services.log.error('login not possible', { session: entry.id }, error);
    return { kind: 'refused', refusal, outcome: 'failed' };
  }
}
