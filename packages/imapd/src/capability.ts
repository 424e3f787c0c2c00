/**
 * What the daemon says it can do (RFC 9051 §6.1.1, §7.2.2): the only place that announces, and only what is whole. Which lines
 * may be switched on by ENABLE (RFC 5161) stands here too.
 */
import type { Services } from './services.ts';

/** Before and after the login. */
const always = ['IMAP4rev1', 'IMAP4rev2', 'LITERAL+', 'ID', 'ENABLE'];

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
  'BINARY',
  'UTF8=ACCEPT',
  'COMPRESS=DEFLATE',
  'QUOTA',
  'QUOTA=RES-STORAGE',
  'QUOTA=RES-MESSAGE',
  'CONDSTORE',
  'QRESYNC',
  'ESEARCH',
  'SEARCHRES',
  'WITHIN',
  'OBJECTID',
  'SORT',
  'SORT=DISPLAY',
  'THREAD=ORDEREDSUBJECT',
  'THREAD=REFERENCES',
];

/** What ENABLE switches on. */
export const extensions: ReadonlySet<string> = new Set(['CONDSTORE', 'QRESYNC', 'IMAP4rev2', 'UTF8=ACCEPT']);

/** The capabilities, in one line without CRLF. */
export function capabilityLine({ mechanisms, messageBytes }: Services, isLoggedIn: boolean): string {
  const before = [...anonymous, ...mechanisms.map(({ name }) => `AUTH=${name}`)];
  const behind = [...authenticated, `APPENDLIMIT=${messageBytes}`];
  return ['CAPABILITY', ...always, ...(isLoggedIn ? behind : before)].join(' ');
}
