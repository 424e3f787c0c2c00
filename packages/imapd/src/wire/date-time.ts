/** Dates (RFC 9051 §9): `date-time` of INTERNALDATE and APPEND, always shown in UTC, and the `date` of SEARCH. */
import type { Decoder } from './decoder.ts';

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const secondsADay = 86_400;

/** Seconds of the years 0 to 9999 in UTC: others have no four digits, and the store keeps none. */
const secondsMin = -62_167_219_200;
const secondsMax = 253_402_300_799;

/** A day: days since 1 January 1970. */
export type Day = number;

/** The day of a date; undefined where the calendar has none. */
export function dayOf(year: number, month: string, day: number): Day | undefined {
  const number = months.findIndex((name) => name.toUpperCase() === month.toUpperCase());
  const date = new Date(0);
  // Not Date.UTC, which takes years below 100 for those of the last century.
  date.setUTCFullYear(year, number, day);
  return number === -1 || date.getUTCDate() !== day ? undefined : Math.floor(date.getTime() / 1_000 / secondsADay);
}

/** `1-Feb-1994`, with or without quotes. */
export function expectDate(decoder: Decoder): Day {
  const octets = decoder.tryAtom() ?? decoder.tryString()?.toString('latin1') ?? '';
  const [, day, month = '', year] = /^([ 0-3]?\d)-([A-Za-z]{3})-(\d{4})$/.exec(octets) ?? [];
  const number = day === undefined ? undefined : dayOf(Number(year), month, Number(day));
  if (number === undefined) decoder.fail('a date such as 1-Feb-1994');
  return number ?? 0;
}

/** A day below 10 also without the blank in front of it: scripts and some clients write it so, and Dovecot takes it. */
const dateTime = /^([ 0-3]?\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/;

/** `"17-Jul-1996 02:44:25 -0700"` as seconds since 1970; a leap second is the one behind it. Undefined for what is no date, in UTC too. */
export function parseDateTime(text: string): number | undefined {
  const [, day, month = '', year, hours, minutes, seconds, sign, zoneHours, zoneMinutes] = dateTime.exec(text) ?? [];
  if (day === undefined) return undefined;
  const days = dayOf(Number(year), month, Number(day));
  if (days === undefined || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 60) return undefined;
  if (Number(zoneHours) > 23 || Number(zoneMinutes) > 59) return undefined;
  const zone = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60 * (sign === '-' ? -1 : 1);
  const all = days * secondsADay + (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds) - zone;
  return all < secondsMin || all > secondsMax ? undefined : all;
}

/** Where a quote stands, a date with its time; undefined where none does. */
export function tryDateTime(decoder: Decoder): number | undefined {
  if (decoder.next !== 0x22) return undefined;
  const seconds = parseDateTime(decoder.tryString()?.toString('latin1') ?? '');
  if (seconds === undefined) decoder.fail('a date such as "17-Jul-1996 02:44:25 -0700"');
  return seconds ?? 0;
}

const sixty: readonly string[] = Array.from({ length: 60 }, (_, number) => number.toString().padStart(2, '0'));

/** The day that was shown last: the mail of a mailbox comes by the day. */
let shownDay: Day | undefined;
let shownDayText = '';

/** Seconds since 1970 as INTERNALDATE shows them, without the quotes. */
export function formatDateTime(seconds: number): string {
  const day = Math.floor(seconds / secondsADay);
  if (day !== shownDay) {
    shownDayText = dayText(day);
    shownDay = day;
  }
  const time = seconds - day * secondsADay;
  const minutes = Math.floor(time / 60);
  return `${shownDayText} ${sixty[Math.floor(minutes / 60)]}:${sixty[minutes % 60]}:${sixty[time % 60]} +0000`;
}

function dayText(day: Day): string {
  const date = new Date(day * secondsADay * 1_000);
  const year = date.getUTCFullYear().toString().padStart(4, '0');
  return `${date.getUTCDate().toString().padStart(2, ' ')}-${months[date.getUTCMonth()] ?? ''}-${year}`;
}
