/** The reverse-path as a mail server gives it on a command line. */
import { formatAddress } from '@mstore/directory';
import { withoutBlanksBehind } from './blanks.ts';

/** An address that can stand between angle brackets: blanks, `<` and `>` in a quoted local part only, controls nowhere. */
const pathPattern =
  /^(?:"(?:[^"\\\p{Cc}\p{Cs}\u2028\u2029]|\\[^\p{Cc}\p{Cs}\u2028\u2029])*"(?=@))?[^<>\s\p{Cc}\p{Cs}]*$/u;

/**
 * The address between the angle brackets of Return-Path; empty for the null reverse-path, which absence, `<>` and MAILER-DAEMON
 * mean. A local part that needs quotes gets them. Undefined where it is no address.
 */
export function reversePathOf(given: string | undefined): string | undefined {
  const path = withoutBlanksBehind((given ?? '').replace(/^ +/, '')).replace(/^<(.*)>$/s, '$1');
  if (/^mailer-daemon$/i.test(path)) return '';
  if (pathPattern.test(path)) return path;
  if (path.startsWith('"') || path.lastIndexOf('@') < 1) return undefined;
  const quoted = formatAddress(path);
  return pathPattern.test(quoted) ? quoted : undefined;
}
