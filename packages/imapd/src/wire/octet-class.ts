/** Which octets may stand where (RFC 9051 §9): a bit for each class, looked up by octet. */

export const octetClass = {
  /** ATOM-CHAR. */
  atom: 1,
  /** ASTRING-CHAR: also `]`. */
  astring: 2,
  /** list-char: also the wildcards `%` and `*`. */
  list: 4,
  /** A letter, a digit, or what else stands in the names of commands, items and keys. */
  name: 8,
  digit: 16,
  /** What a sequence set is made of. */
  sequence: 32,
  /** Of a tag: ASTRING-CHAR without `+`. */
  tag: 64,
  /** What a quoted string holds as it is: no CR, LF, NUL, quote or backslash; octets above 127 too. */
  quoted: 128,
} as const;

const classes = buildClasses();

function buildClasses(): Uint8Array {
  const table = new Uint8Array(256);
  for (let octet = 1; octet < 256; octet += 1) {
    const char = String.fromCharCode(octet);
    let bits = /[\r\n"\\]/.test(char) ? 0 : octetClass.quoted;
    if (octet > 0x20 && octet < 0x7f) {
      if (!/[(){%*"\\\]]/.test(char)) bits |= octetClass.atom;
      if (!/[(){%*"\\]/.test(char)) bits |= octetClass.astring;
      if (!/[(){"\\]/.test(char)) bits |= octetClass.list;
      if (!/[(){%*"\\+]/.test(char)) bits |= octetClass.tag;
      if (/[A-Za-z0-9._=-]/.test(char)) bits |= octetClass.name;
      if (/[0-9]/.test(char)) bits |= octetClass.digit;
      if (/[0-9:,*$]/.test(char)) bits |= octetClass.sequence;
    }
    table[octet] = bits;
  }
  return table;
}

/** True when the octet, or -1 for none, is of one of the classes. */
export function isOctetOf(octet: number, bits: number): boolean {
  return octet >= 0 && ((classes[octet] ?? 0) & bits) !== 0;
}

/** Whether all octets are of one of the classes. */
export function areOctetsOf(octets: Buffer, bits: number): boolean {
  for (const octet of octets) if (!isOctetOf(octet, bits)) return false;
  return true;
}
