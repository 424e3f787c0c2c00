/** The From_ line of an mbox (RFC 4155): `From sender date`, in the forms that programs of forty years wrote it. */
import { monthOf } from '@mstore/store';

const start = 'From ';
/** Octets of a From_ line; what is longer is none. */
export const fromLineBytesMax = 1_000;

const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const dayNames = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** Weekday, month, day, time, and year, with a zone before or after the year or none. */
const asctimePattern =
  /(?:^|\s)(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+([a-z]{3})[a-z]*\s+(\d{1,2})\s+(\d{1,2}):(\d\d)(?::(\d\d))?\s+(?:([a-z]{1,5}|[+-]\d{4})\s+)?(\d{4}|\d\d)(?:\s+([a-z]{1,5}|[+-]\d{4}))?(?:\s+remote from .*)?\s*$/i;

/** What a From_ line says. */
export interface FromLine {
  /** Seconds since 1970; a named zone counts as UTC. Undefined where the line has no date. */
  readonly date: number | undefined;
}

/** Reads a line that begins with `From `; undefined when its rest is not a sender and a date, so that it is just text. */
export function parseFromLine(line: string): FromLine | undefined {
  // Old Netscape and Mozilla wrote this for messages that they had made themselves.
  if (/^From -\s*$/.test(line)) return { date: undefined };
  const match = asctimePattern.exec(line.slice(start.length));
  if (match === null) return undefined;
  const [, monthName = '', day, hour, minute, second = '0', zoneBefore, yearText = '', zoneAfter] = match;
  const month = monthOf(monthName);
  if (month === -1) return undefined;
  const short = Number(yearText);
  const year = yearText.length === 4 ? short : short < 70 ? 2000 + short : 1900 + short;
  const ms = Date.UTC(year, month, Number(day), Number(hour), Number(minute), Number(second));
  return { date: Math.floor(ms / 1000) - zoneSeconds(zoneBefore ?? zoneAfter ?? '') };
}

/** Seconds east of UTC of `+hhmm`; 0 for names, which were never unique. */
export function zoneSeconds(zone: string): number {
  const match = /^([+-])(\d\d)(\d\d)$/.exec(zone);
  if (match === null) return 0;
  const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60;
  return match[1] === '-' ? -seconds : seconds;
}

/** `Fri Nov 21 09:55:06 1997`, as a From_ line has it; from seconds since 1970. */
export function asctime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const [day, month] = [dayNames[date.getUTCDay()], monthNames[date.getUTCMonth()]];
  const dayOfMonth = String(date.getUTCDate()).padStart(2, ' ');
  const time = date.toISOString().slice(-13, -5);
  return `${day} ${month} ${dayOfMonth} ${time} ${date.getUTCFullYear()}`;
}
