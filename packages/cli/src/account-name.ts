/**
 * Names of accounts as the command line compares them: in NFC, and an internationalised domain in ASCII (IDNA, RFC 5890), as the
 * directory has it, so that both ways to write one name the same account. Letter case is the store's.
 */
import { domainToASCII } from 'node:url';

/** Domains in U-labels or A-labels; all others stay as given, which keeps from `domainToASCII` what it takes for addresses. */
const internationalised = /^(?=.*(?:[^\0-\x7f]|xn--))[\w.\-\u0080-\u{10ffff}]+$/iu;

/** The name in the form to look up and to create; one whose domain is none stays as it is. */
export function normalAccountName(given: string): string {
  const name = given.normalize('NFC');
  const at = name.lastIndexOf('@') + 1;
  const domain = name.slice(at);
  if (at === 0 || !internationalised.test(domain)) return name;
  const ascii = domainToASCII(domain);
  return ascii === '' ? name : name.slice(0, at) + ascii;
}
