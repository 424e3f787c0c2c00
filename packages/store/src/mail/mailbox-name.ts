/** What a mailbox may be called: UTF-8 in NFC, levels separated by `/`, INBOX in any letter case (RFC 9051 §5.1). */
import { StoreError } from '../errors.ts';
import { limits } from '../limits.ts';

export const inbox = 'INBOX';
export const separator = '/';

/** The name as the store keeps it. @throws {StoreError} badName */
export function mailboxName(given: string): string {
  const name = given.normalize('NFC');
  const levels = name.split(separator);
  if (levels.some((level) => level === '')) throw badName('a mailbox name has no empty level');
  if (levels.length > limits.mailboxDepth) throw badName(`a mailbox name has up to ${limits.mailboxDepth} levels`);
  if (Buffer.byteLength(name) > limits.mailboxNameBytes) {
    throw badName(`a mailbox name has up to ${limits.mailboxNameBytes} octets`);
  }
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/u.test(name) || !name.isWellFormed()) {
    throw badName('a mailbox name has no control characters');
  }
  const [first = '', ...rest] = levels;
  return first.toUpperCase() === inbox ? [inbox, ...rest].join(separator) : name;
}

function badName(message: string): StoreError {
  return new StoreError('badName', message);
}

/** True when `name` lies below `parent`. */
export function isBelow(name: string, parent: string): boolean {
  return name.startsWith(parent + separator);
}
