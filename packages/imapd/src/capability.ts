/**
 * What the daemon says it can do (RFC 9051 §6.1.1, §7.2.2): the only place that announces, and only what is whole. Which lines
 * may be switched on by ENABLE (RFC 5161) stands here too.
 */
import type { SaslMechanism } from '@mstore/net';

/** Before and after the login. */
const always = ['IMAP4rev1', 'LITERAL+', 'ID', 'ENABLE'];

/** Before the login. */
const anonymous = ['SASL-IR'];

/** After the login. */
const authenticated = [
  'NAMESPACE',
  'CHILDREN',
  'UNSELECT',
  'SPECIAL-USE',
  'CREATE-SPECIAL-USE',
  'LIST-EXTENDED',
  'LIST-STATUS',
  'STATUS=SIZE',
  'IDLE',
  'UIDPLUS',
  'MOVE',
  'MULTIAPPEND',
];

/** What ENABLE switches on, in capitals. */
export const extensions: ReadonlySet<string> = new Set();

/** The capabilities, in one line without CRLF. */
export function capabilityLine(mechanisms: readonly SaslMechanism[], isLoggedIn: boolean): string {
  const logins = mechanisms.map(({ name }) => `AUTH=${name}`);
  return ['CAPABILITY', ...always, ...(isLoggedIn ? authenticated : [...anonymous, ...logins])].join(' ');
}
