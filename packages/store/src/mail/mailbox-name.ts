/** What a mailbox may be called: UTF-8 in NFC, levels separated by `/`, INBOX in any letter case (RFC 9051 §5.1). */
import { StoreError } from '../errors.ts';
import { limits } from '../limits.ts';

export const inbox = 'INBOX';
const separator = '/';

/** The name as the store keeps it. @throws {StoreError} badName */
export function mailboxName(given: string): string {
  const name = given.normalize('NFC');
  const levels = name.split(separator);
  if (levels.some((level) => level === '')) throw badName('a mailbox name has no empty level');
  if (levels.length > limits.mailboxDepth) throw badName(`a mailbox name has up to ${limits.mailboxDepth} levels`);
  if (Buffer.byteLength(name) > limits.mailboxNameBytes) {
    throw badName(`a mailbox name has up to ${limits.mailboxNameBytes} octets`);
  }
  if (/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(name)) {
    throw badName('a mailbox name has no control characters');
  }
  const [first = '', ...rest] = levels;
  // Without the flag `u`, so that only ASCII letters are one in both cases.
  return /^inbox$/i.test(first) ? [inbox, ...rest].join(separator) : name;
}

function badName(message: string): StoreError {
  return new StoreError('badName', message);
}

/** True when `name` lies below `parent`. */
export function isBelow(name: string, parent: string): boolean {
  return name.startsWith(parent + separator);
}
