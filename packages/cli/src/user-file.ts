/** The list that `mstore user import` reads: `address password-or-{SCHEME}hash [quota]`. Never tells a password. */
import { parseBytes } from '@mstore/store';
import { normalAccountName } from './account-name.ts';

export interface UserLine {
  readonly line: number;
  readonly address: string;
  readonly password: string;
  /** Octets; undefined where the line has none. */
  readonly quota: number | undefined;
}

export interface UserFile {
  readonly lines: readonly UserLine[];
  readonly problems: readonly { readonly line: number; readonly problem: string }[];
}

export function parseUserFile(text: string): UserFile {
  const lines: UserLine[] = [];
  const problems: { line: number; problem: string }[] = [];
  const seen = new Map<string, number>();
  for (const [at, raw] of text.split(/\r?\n/).entries()) {
    const fields = raw.trim().split(/[ \t]+/);
    const [address = '', password = '', quotaText] = fields;
    if (address === '' || address.startsWith('#')) continue;
    const line = at + 1;
    const quota = quotaText === undefined ? undefined : parseBytes(quotaText);
    const key = normalAccountName(address).toLowerCase();
    const before = seen.get(key);
    const problem =
      problemOf(fields, quota) ?? (before === undefined ? undefined : `the address of line ${before} again`);
    if (problem !== undefined) problems.push({ line, problem });
    else lines.push({ line, address, password, quota });
    seen.set(key, line);
  }
  return { lines, problems };
}

function problemOf(fields: readonly string[], quota: number | undefined): string | undefined {
  const [, password, quotaText] = fields;
  if (password === undefined) return 'a password or {SCHEME}hash is missing';
  if (password.startsWith('{') && !/^\{[A-Za-z0-9][A-Za-z0-9.-]*\}\S+$/.test(password))
    return 'a hash is written {SCHEME}hash';
  if (fields.length > 3) return 'more than an address, a password and a quota';
  if (quotaText !== undefined && quota === undefined)
    return 'the quota is a number of octets, or a number with K, M, G or T';
  return undefined;
}
