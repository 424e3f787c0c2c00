/**
 * SASL (RFC 4422) from the server's side, apart from the protocol that carries it: base64 and its bounds, the empty initial
 * response `=`, the abort `*`, and the order of turns. What a challenge looks like on the wire (`+ `, `334 `) and how a failure is
 * worded is the protocol's.
 *
 * A mechanism is a small state machine over octets. PLAIN and LOGIN end with a password for the directory to judge; a
 * mechanism that proves the login by itself (SCRAM) gets what it needs when it is made, may answer later, and adds its own kind
 * of end to `SaslStep`.
 */
import { PeerError } from './errors.ts';
import { limits } from './limits.ts';

/** A login and its password, to be judged by whoever asked. */
export interface SaslPassword {
  readonly kind: 'password';
  /** Whose password it is. */
  readonly login: string;
  readonly password: string;
  /** Whom to act as; undefined for the login itself. */
  readonly authorization: string | undefined;
}

/** What comes next: a challenge to send, or the end. */
export type SaslStep = { readonly kind: 'challenge'; readonly octets: Buffer } | SaslPassword;

/** One login under way. */
export interface SaslExchange {
  /**
   * The step after a response; undefined is the absence of an initial one.
   * @throws {PeerError} saslMalformed
   */
  respond(octets: Buffer | undefined): SaslStep | Promise<SaslStep>;
}

export interface SaslMechanism {
  /** As clients name it, in capitals. */
  readonly name: string;
  start(): SaslExchange;
}

/** What the protocol does next: send a challenge's base64 and read a line, or judge the password. */
export type SaslTurn = { readonly kind: 'challenge'; readonly base64: string } | SaslPassword;

/** One exchange in the lines of a protocol. */
export class SaslDialogue {
  readonly #exchange: SaslExchange;

  constructor(mechanism: SaslMechanism) {
    this.#exchange = mechanism.start();
  }

  /**
   * Begins with the command's initial response, if it has one: base64, or `=` for an empty one.
   * @throws {PeerError} saslMalformed
   */
  begin(initial?: string): Promise<SaslTurn> {
    if (initial === undefined) return this.#respond(undefined);
    return this.#respond(initial === '=' ? Buffer.alloc(0) : decodeBase64(initial));
  }

  /**
   * Goes on with a line the client sent.
   * @throws {PeerError} saslAborted, saslMalformed
   */
  async answer(line: Buffer): Promise<SaslTurn> {
    const text = line.length <= limits.saslLineBytes ? line.toString('latin1') : undefined;
    if (text === undefined) throw new PeerError('saslMalformed', 'a response beyond its bound');
    if (text === '*') throw new PeerError('saslAborted', 'the client gave the login up');
    return await this.#respond(decodeBase64(text));
  }

  async #respond(octets: Buffer | undefined): Promise<SaslTurn> {
    const step = await this.#exchange.respond(octets);
    return step.kind === 'challenge' ? { kind: 'challenge', base64: step.octets.toString('base64') } : step;
  }
}

/**
 * The mechanism of that name, in any case; undefined when it is not offered.
 */
export function findMechanism(mechanisms: readonly SaslMechanism[], name: string): SaslMechanism | undefined {
  const wanted = name.toUpperCase();
  return mechanisms.find((mechanism) => mechanism.name === wanted);
}

/** Strict base64 (RFC 4648 §4): no blanks, padded, no loose bits. */
function decodeBase64(text: string): Buffer {
  if (text.length <= limits.saslLineBytes) {
    const octets = Buffer.from(text, 'base64');
    if (octets.toString('base64') === text) return octets;
  }
  throw new PeerError('saslMalformed', 'a response that is not base64');
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A name or password of a response as text.
 * @throws {PeerError} saslMalformed: too long, not UTF-8, or with a NUL
 */
export function saslText(octets: Buffer, bytesMax: number): string {
  if (octets.length > bytesMax) throw new PeerError('saslMalformed', 'a name or password beyond its bound');
  if (octets.includes(0)) throw new PeerError('saslMalformed', 'a name or password with a NUL');
  try {
    return utf8.decode(octets);
  } catch (cause) {
    throw new PeerError('saslMalformed', 'a name or password that is not UTF-8', cause);
  }
}
