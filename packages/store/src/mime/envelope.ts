/**
 * Makes IMAP's ENVELOPE in wire form from a header (RFC 9051 §7.5.2, RFC 3501 §7.4.2).
 *
 * A field that occurs more than once: addresses are joined, as if they stood in one field, so that no reader is shown less
 * than another; of Date, Subject, In-Reply-To and Message-ID the first counts.
 */

import { limits } from '../limits.ts';
import { type Address, parseAddresses } from './address.ts';
import { fieldTexts } from './header.ts';
import { wireNString, wireString } from './wire-string.ts';

const envelopeFields: ReadonlySet<string> = new Set([
  'date',
  'subject',
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'bcc',
  'in-reply-to',
  'message-id',
]);

function wireAddress({ name, route, mailbox, host }: Address): string {
  return `(${wireNString(name)} ${wireNString(route)} ${wireNString(mailbox)} ${wireNString(host)})`;
}

/** NIL when there is no address. */
function wireAddresses(values: readonly string[] | undefined): string {
  let list = '';
  let room: number = limits.addresses;
  for (const value of values ?? []) {
    const addresses = parseAddresses(value, room);
    for (const address of addresses) list += wireAddress(address);
    room -= addresses.length;
    if (room <= 0) break;
  }
  return list === '' ? 'NIL' : `(${list})`;
}

/** The envelope as latin1 text, for a list that holds it. */
export function envelopeText(headerOctets: Buffer): string {
  const fields = fieldTexts(headerOctets, envelopeFields);
  const text = (name: string): string => {
    const value = fields.get(name)?.[0];
    return value === undefined ? 'NIL' : wireString(value);
  };
  const from = wireAddresses(fields.get('from'));
  const orFrom = (name: string): string => {
    const list = wireAddresses(fields.get(name));
    return list === 'NIL' ? from : list;
  };
  const recipients = ['to', 'cc', 'bcc'].map((name) => wireAddresses(fields.get(name))).join(' ');
  const authors = `${from} ${orFrom('sender')} ${orFrom('reply-to')}`;
  return `(${text('date')} ${text('subject')} ${authors} ${recipients} ${text('in-reply-to')} ${text('message-id')})`;
}

/** IMAP's ENVELOPE, a parenthesised list that may hold literals. */
export function envelope(headerOctets: Buffer): Buffer {
  return Buffer.from(envelopeText(headerOctets), 'latin1');
}
