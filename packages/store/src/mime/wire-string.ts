/** Writes IMAP strings (RFC 9051 §4.3) from latin1 text, one character an octet. */

/** Longest quoted string; longer text is a literal, for clients with a short line buffer. */
const quotedLengthMax = 1_000;

const quotable = /^[\t\x20-\x7e]*$/;
const special = /["\\]/;

/**
 * The text as a quoted string when it is short and printable, else as a literal. NUL, which no string may hold, becomes
 * 0x80, so that sizes stay.
 */
export function wireString(text: string): string {
  if (text.length <= quotedLengthMax && quotable.test(text)) {
    return special.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`;
  }
  const octets = text.includes('\0') ? text.replaceAll('\0', '\x80') : text;
  return `{${octets.length}}\r\n${octets}`;
}

/** The same, or NIL for what is absent. */
export function wireNString(text: string | undefined): string {
  return text === undefined ? 'NIL' : wireString(text);
}
