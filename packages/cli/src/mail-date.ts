/** When a message came, as its header tells it: the date of the topmost Received, else Date (RFC 5322 §3.3, §4.3). */
import { fullYear, monthOf, namedZoneSeconds } from '@mstore/store';
import { zoneSeconds } from './from-line.ts';

/** Octets of a header that are looked at. */
export const headBytes = 65_536;

const datePattern =
  /(\d{1,2})[\s-]+([a-z]{3})[a-z]*[\s-]+(\d{2,4})\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([+-]\d{4}|[a-z]{1,5})?/i;

/** Seconds since 1970; undefined where the text holds no date. */
export function parseMailDate(text: string): number | undefined {
  const match = datePattern.exec(text.replace(/\([^()]*\)/g, ' '));
  if (match === null) return undefined;
  const [, day, monthName = '', yearText = '', hour, minute, second = '0', zone = ''] = match;
  const month = monthOf(monthName);
  if (month === -1) return undefined;
  const seconds = Date.UTC(fullYear(yearText), month, Number(day), Number(hour), Number(minute), Number(second)) / 1000;
  return seconds - (namedZoneSeconds(zone) ?? zoneSeconds(zone));
}

/** The date in a header, of which `head` is the beginning. */
export function headerDate(head: Buffer): number | undefined {
  const text = head.toString('latin1', 0, headBytes);
  const end = /\r?\n\r?\n/.exec(text)?.index ?? text.length;
  const fields = text.slice(0, end).replace(/\r?\n[ \t]+/g, ' ');
  const received = /^received:(.*)$/im.exec(fields)?.[1];
  const semicolon = received?.lastIndexOf(';') ?? -1;
  const arrived = semicolon === -1 ? undefined : parseMailDate(received?.slice(semicolon + 1) ?? '');
  return arrived ?? parseMailDate(/^date:(.*)$/im.exec(fields)?.[1] ?? '');
}
