/** What a trace may show of commands: no password, nothing of a SASL exchange, and of what is no command nothing at all. */
import { findMechanism, type SaslMechanism } from '@mstore/net';
import { commands } from './dispatch.ts';

/** Tag, name with UID before it, and whether more follows. */
const beginning = /^([^ ]+) ((?:UID )?[A-Z]+)(?: ([A-Z0-9_-]*))?/i;

const secretive: readonly string[] = ['LOGIN', 'AUTHENTICATE'];

/**
 * What is shown of a line or a literal. What follows an unknown name is not: it may be a login with its name misspelt.
 * @param first the first line of the command, which says what it is
 */
export function shownOf(octets: Buffer, first: Buffer, mechanisms: readonly SaslMechanism[]): Buffer | string {
  const [, tag = '', given = '', word = ''] = beginning.exec(first.toString('latin1', 0, 400)) ?? [];
  const name = given.toUpperCase();
  if (!commands.has(name)) return `… (${octets.length} octets, no command)`;
  if (!secretive.includes(name)) return octets;
  if (octets !== first) return '…';
  const isKnown = name === 'AUTHENTICATE' && findMechanism(mechanisms, word) !== undefined;
  return `${tag} ${given}${isKnown ? ` ${word}` : ''} …`;
}
