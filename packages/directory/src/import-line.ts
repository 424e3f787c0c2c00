/**
 * One line of a list of users to import: `address password-or-{SCHEME}hash [quota]`, parted by blanks; `#` begins a line that
 * is a comment. Pure. What it says against a line never holds the password.
 */
import { addressText, parseAddress } from './address.ts';
import { limits } from './limits.ts';
import { readGiven } from './password/stored.ts';
import { passwordProblem } from './password.ts';

export type ImportLine =
  | { readonly kind: 'none' }
  | { readonly kind: 'bad'; readonly problem: string }
  | {
      readonly kind: 'user';
      /** In our form. */
      readonly address: string;
      /** A password to hash, or a hash to keep. */
      readonly plain?: string;
      readonly stored?: string;
      /** Absent: the user's quota stays, or is none. */
      readonly quotaBytes?: number;
    };

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Octets of a quota as administrators write it (`500M`, `2G`, `0` for no limit); undefined when it is none. */
export function parseQuota(text: string): number | undefined {
  const match = /^(\d{1,16})([KMGT]?)B?$/i.exec(text);
  if (match === null) return undefined;
  const [, number, unit = ''] = match;
  const bytes = Number(number) * (units[unit.toUpperCase()] ?? Number.NaN);
  return bytes <= limits.quota ? bytes : undefined;
}

/** An address whose quoted local part may hold blanks, then the rest. */
const columns = /^((?:"(?:[^"\\]|\\.)*"@)?\S+)\s+(\S+)(?:\s+(\S+))?$/;

export function parseImportLine(line: string): ImportLine {
  const text = line.trim().replace(/^\ufeff/, '');
  if (text === '' || text.startsWith('#')) return { kind: 'none' };
  if (line.length > limits.importLineLength) return { kind: 'bad', problem: 'the line is too long' };
  // What a decoder writes for octets that are no UTF-8: neither names nor passwords may lose their letters.
  if (text.includes('\ufffd')) return { kind: 'bad', problem: 'the line is not UTF-8' };
  const match = columns.exec(text);
  if (match === null) return { kind: 'bad', problem: 'not of the form: address password [quota]' };
  const [, addressColumn = '', passwordColumn = '', quotaColumn] = match;
  const address = parseAddress(addressColumn);
  if (address === undefined) return { kind: 'bad', problem: `${addressColumn} is no address` };
  const quotaBytes = quotaColumn === undefined ? undefined : parseQuota(quotaColumn);
  if (quotaColumn !== undefined && quotaBytes === undefined) {
    // It may be the rest of a password that holds a blank.
    return { kind: 'bad', problem: 'what follows the password is no quota, such as 500M or 2G' };
  }
  const user = {
    kind: 'user',
    address: addressText(address),
    ...(quotaBytes === undefined ? {} : { quotaBytes }),
  } as const;
  const given = readGiven(passwordColumn);
  if (given.kind === 'stored') return { ...user, stored: given.stored };
  if (given.kind === 'unknown') {
    return {
      kind: 'bad',
      problem: `a hash of scheme ${given.scheme} that is unknown, malformed, impossible or too costly`,
    };
  }
  const problem = passwordProblem(given.password);
  return problem === undefined ? { ...user, plain: given.password } : { kind: 'bad', problem };
}
