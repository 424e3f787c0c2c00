/**
 * The collation i;unicode-casemap (RFC 5051 §2): texts are alike when they are after this, and are in the order of the octets of
 * what it gives, as UTF-8.
 */

const ascii = /^[\0-\x7f]*$/;

/** Characters whose title case is another than their upper case: the digraphs, and Georgian, which has none. */
const ownTitleCase = /[\u01c4-\u01cc\u01f1-\u01f3\u10d0-\u10ff]/;
const digraphs = ['\u01c5', '\u01c8', '\u01cb', '\u01f2'];

function titleCase(char: string): string {
  if (ownTitleCase.test(char)) {
    const code = char.charCodeAt(0);
    return digraphs.find((title) => Math.abs(title.charCodeAt(0) - code) <= 1) ?? char;
  }
  const upper = char.toUpperCase();
  // Only what stays one character: the mapping knows no other.
  return upper.length === char.length ? upper : char;
}

/** The text in title case, decomposed. */
export function casemapped(text: string): string {
  if (ascii.test(text)) return text.toUpperCase();
  let mapped = '';
  for (const char of text) mapped += titleCase(char);
  return mapped.normalize('NFKD');
}
