/** NUL in messages, for clients that stop there: `pop3.nul = "replace"` sends octet 0x80 instead. */

const instead = 0x80;

/** Changes the octets where they are. */
export function replaceNul(octets: Buffer): void {
  for (let at = octets.indexOf(0); at !== -1; at = octets.indexOf(0, at + 1)) octets[at] = instead;
}

/** The octets without NUL; the same buffer when there is none. */
export function withoutNul(octets: Buffer): Buffer {
  if (!octets.includes(0)) return octets;
  const copy = Buffer.from(octets);
  replaceNul(copy);
  return copy;
}
