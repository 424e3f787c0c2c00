/**
 * How a peer fails us. A `PeerError` says that the other side broke the protocol, was too slow or went away: nothing is
 * wrong here, the session answers in its protocol's words or ends. A failed `invariant` is our bug. Failures of this
 * machine (an address in use) stay the errors Node made of them.
 *
 * The message is for the log and never holds what the peer sent. What a client reads comes from its daemon's table, keyed
 * by `code`.
 */

export type PeerErrorCode =
  | 'gone' // the connection broke, or ended in the middle of something
  | 'timeout' // slower than allowed; reading goes no further, a last reply may be written
  | 'lineTooLong' // the line was skipped to its end; the next one can be read
  | 'lineEndless' // no line end came; the connection is good for a last reply only
  | 'bareLineFeed' // a command with a line feed that CR does not precede; it was skipped
  | 'saslAborted' // the client sent `*`
  | 'saslMalformed' // not base64, or not what the mechanism expects
  | 'unreadBeforeUpgrade'; // octets sent ahead of a change of transport that must not be believed

/** The other side's failure. */
export class PeerError extends Error {
  readonly code: PeerErrorCode;

  constructor(code: PeerErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PeerError';
    this.code = code;
  }
}

/** True when `error` is a PeerError with this code. */
export function isPeerError(error: unknown, code?: PeerErrorCode): error is PeerError {
  return error instanceof PeerError && (code === undefined || error.code === code);
}

/** Throws when our own reasoning is wrong; never for what a peer, a user or the machine can cause. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant failed: ${message}`);
}

/** The message of anything thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The errno name of a failed system call (`EADDRINUSE` …), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
