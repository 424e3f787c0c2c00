/** The arguments of commands (RFC 1939 §3, RFC 2449 §3), read from what stands behind the keyword. Blanks at the end are
 *  forgiven, but for a password's. */

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Larger than any maildrop: what is beyond need not be told apart. */
const numberMax = 0xffff_ffff;

/** Arguments of a command that has none. */
export function noArguments(octets: Buffer): true | undefined {
  return words(octets).length === 0 ? true : undefined;
}

/** A message number. */
export function oneNumber(octets: Buffer): number | undefined {
  const [number, ...others] = words(octets);
  return others.length > 0 ? undefined : decimal(number);
}

/** A message number, or nothing: `all`. */
export function numberOrAll(octets: Buffer): number | 'all' | undefined {
  return words(octets).length === 0 ? 'all' : oneNumber(octets);
}

/** A message number and a count of lines. */
export function numberAndLines(octets: Buffer): { readonly number: number; readonly lines: number } | undefined {
  const [first, second, ...others] = words(octets);
  const number = decimal(first);
  const lines = decimal(second);
  return number === undefined || lines === undefined || others.length > 0 ? undefined : { number, lines };
}

/** A name in UTF-8 (RFC 6856 §2), which may hold blanks. */
export function name(octets: Buffer): string | undefined {
  const text = decoded(octets)?.trimEnd();
  return text === '' ? undefined : text;
}

/** A password in UTF-8: everything behind the one blank. */
export function password(octets: Buffer): string | undefined {
  const text = decoded(octets);
  return text === '' ? undefined : text;
}

/** A mechanism, perhaps with an initial response; nothing: the list. */
export function mechanism(
  octets: Buffer,
): { readonly name: string | undefined; readonly initial: string | undefined } | undefined {
  const [name, initial, ...others] = words(octets);
  return others.length > 0 ? undefined : { name, initial };
}

function words(octets: Buffer): string[] {
  return octets
    .toString('latin1')
    .split(' ')
    .filter((word) => word !== '');
}

function decimal(word: string | undefined): number | undefined {
  return word !== undefined && /^\d+$/.test(word) ? Math.min(Number(word), numberMax) : undefined;
}

/** Undefined for what is not UTF-8, or holds a NUL. */
function decoded(octets: Buffer): string | undefined {
  try {
    return octets.includes(0) ? undefined : utf8.decode(octets);
  } catch {
    return undefined;
  }
}
