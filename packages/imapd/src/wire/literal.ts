/** How a line announces the literal behind it (RFC 9051 §4.3, RFC 7888): `{10}`, `{10+}`, and `~` in front of a binary one. */

export interface LiteralAnnouncement {
  /** Octets of the literal; beyond 2^53 they are not exact. */
  readonly bytes: number;
  /** The client waits until we ask for it. */
  readonly isWaiting: boolean;
  /** It may hold NUL. */
  readonly isBinary: boolean;
  /** Where in the line the announcement begins. */
  readonly at: number;
}

/** More digits are no size that anything has; the line ends with them all the same. */
const digitsMax = 20;

const closing = 0x7d; // }
const opening = 0x7b; // {
const plus = 0x2b;
const tilde = 0x7e;

/** The announcement at a line's end; undefined where no literal follows. */
export function announcedLiteral(line: Buffer): LiteralAnnouncement | undefined {
  let at = line.length - 1;
  if (line[at] !== closing) return undefined;
  at -= 1;
  const isWaiting = line[at] !== plus;
  if (!isWaiting) at -= 1;
  const end = at + 1;
  while (end - at <= digitsMax && isDigit(line[at])) at -= 1;
  if (line[at] !== opening || end - at < 2) return undefined;
  const bytes = Number(line.toString('latin1', at + 1, end));
  const isBinary = line[at - 1] === tilde;
  return { bytes, isWaiting, isBinary, at: isBinary ? at - 1 : at };
}

function isDigit(octet: number | undefined): boolean {
  return octet !== undefined && octet >= 0x30 && octet <= 0x39;
}
