/**
 * The lines a delivery puts on top of a message: Return-Path, Delivered-To, Received (RFC 5321 §4.4), and the date they
 * bear (RFC 5322 §3.3).
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { CommandError, exit } from './errors.ts';

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const two = (n: number): string => String(n).padStart(2, '0');

/** `Fri, 21 Nov 1997 09:55:06 +0000`; from ms since 1970. */
export function mailDate(ms: number): string {
  const date = new Date(ms);
  const day = `${days[date.getUTCDay()]}, ${date.getUTCDate()} ${months[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

/** `Fri Nov 21 09:55:06 1997`, as a From_ line has it; from seconds since 1970. */
export function asctime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  const dayOfMonth = String(date.getUTCDate()).padStart(2, ' ');
  return `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${dayOfMonth} ${time} ${date.getUTCFullYear()}`;
}

/** What one message's delivery says, the same for all its recipients. */
export interface Delivery {
  readonly id: string;
  readonly host: string;
  /** Empty for the null reverse-path. */
  readonly reversePath: string;
  /** ms since 1970. */
  readonly time: number;
}

export function newDelivery(reversePath: string, time: number): Delivery {
  return {
    id: randomBytes(8).toString('hex'),
    host: hostname() || 'localhost',
    reversePath,
    time,
  };
}

/** An address that can stand between angle brackets: blanks, `<` and `>` in a quoted local part only, controls nowhere. */
const pathPattern = /^(?:"(?:[^"\\\p{Cc}\u2028\u2029]|\\[^\p{Cc}\u2028\u2029])*"(?=@))?[^<>\s\p{Cc}]*$/u;

/** An absent sender, `<>` and MAILER-DAEMON mean null. @throws CommandError tryAgain, where it is no address */
export function reversePathOf(sender: string | undefined): string {
  const path = (sender ?? '').replace(/^<(.*)>$/s, '$1').replace(/^ +| +$/g, '');
  if (!pathPattern.test(path)) {
    throw new CommandError(
      exit.tryAgain,
      'the sender is no address: blanks, < and > belong in quotes, controls nowhere',
    );
  }
  return /^mailer-daemon$/i.test(path) ? '' : path;
}

/** The lines for one recipient, as given. */
export function traceLines(delivery: Delivery, recipient: string): Buffer {
  const to = oneLine(recipient);
  return Buffer.from(
    `Return-Path: <${delivery.reversePath}>\r\n` +
      `Delivered-To: ${to}\r\n` +
      `Received: by ${delivery.host} with local id ${delivery.id}\r\n` +
      `\tfor <${to}>; ${mailDate(delivery.time)}\r\n`,
  );
}

/** Nothing from a command line may begin another header field. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, '');
}
