/**
 * The header lines that a delivery puts on top of a message, in this order: Return-Path, Delivered-To, Received (RFC 5321
 * §4.4). Every recipient has its own.
 *
 * Invariant: whatever peers and command lines gave, each line ends where we end it, and is at most 998 octets long but for the
 * UTF-8 of addresses.
 */
import type { DeliveryTrace } from './delivery.ts';
import { limits } from './limits.ts';

/** What could end a line, hide the rest of one, or is no text. */
const unfit = /[\p{Cc}\p{Cs}\u2028\u2029]/u;
const everyUnfit = /[\p{Cc}\p{Cs}\u2028\u2029]/gu;

/** An address on one line. */
function oneLine(text: string): string {
  const whole = unfit.test(text) ? text.replace(everyUnfit, '') : text;
  return whole.length > limits.traceAddressLength ? whole.slice(0, limits.traceAddressLength) : whole;
}

/** A name that cannot be taken for more of the Received line than a name. */
function asName(text: string): string {
  return text.slice(0, limits.peerNameBytes).replace(/[^\w.:[\]\-\u00a0-\u2027\u202a-\ud7ff\ue000-\u{10ffff}]/gu, '?');
}

/** `Fri, 21 Nov 1997 09:55:06 +0000` (RFC 5322 §3.3); from ms since 1970. */
export function mailDate(ms: number): string {
  return new Date(ms).toUTCString().replace('GMT', '+0000');
}

/** `from NAME ([ADDRESS])` and a fold, as far as they are known. */
function fromClause({ peerName, peerAddress }: DeliveryTrace): string {
  if (peerName === '' && peerAddress === '') return '';
  const name = peerName === '' ? 'unknown' : asName(peerName);
  if (peerAddress === '') return `from ${name}\r\n\t`;
  const literal = peerAddress.includes(':') ? `IPv6:${asName(peerAddress)}` : asName(peerAddress);
  return `from ${name} ([${literal}])\r\n\t`;
}

/** The lines of one delivery: what all recipients share is made once. */
export class TraceLines {
  readonly #top: string;
  readonly #received: string;
  readonly #end: string;

  /** @param time ms since 1970 */
  constructor(name: string, trace: DeliveryTrace, time: number) {
    this.#top = `Return-Path: <${oneLine(trace.sender)}>\r\nDelivered-To: `;
    const by = `by ${asName(name)} with ${asName(trace.protocol)} id ${asName(trace.id)}`;
    this.#received = `\r\nReceived: ${fromClause(trace)}${by}\r\n\tfor <`;
    this.#end = `>; ${mailDate(time)}\r\n`;
  }

  /** The lines for a recipient, as it was given. */
  for(given: string): Buffer {
    const recipient = oneLine(given);
    return Buffer.from(this.#top + recipient + this.#received + recipient + this.#end);
  }
}
