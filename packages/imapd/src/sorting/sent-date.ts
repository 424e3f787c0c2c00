/** The sent date (RFC 5256 §2.2): that of the Date field (RFC 5322 §3.3, §4.3), in UTC. */
import { fullYear, monthOf, namedZoneSeconds } from '@mstore/store';

/** Characters of a Date field that are looked at. */
const dateLengthMax = 200;

const datePattern = /^ *(?:[a-z]+\.?)? ?,? *(\d{1,2})[ -]+([a-z]{3})[a-z]*\.?[ ,-]+(\d{2,4})(?!\d)(.*)$/i;
const timePattern = /^[ ,]+(\d{1,2}) ?: ?(\d{2})(?: ?: ?(\d{2})(?:\.\d+)?)?(?!\d) *([+-]\d{4}(?!\d)|[a-z]{1,5})?/i;

/** Without comments; what stands behind an open one belongs to it. */
function withoutComments(text: string): string {
  let plain = '';
  let depth = 0;
  for (const char of text) {
    if (char === '(') depth += 1;
    else if (char === ')') depth = Math.max(depth - 1, 0);
    else if (depth === 0) plain += /\s/.test(char) ? ' ' : char;
  }
  return plain;
}

function zoneSeconds(zone: string): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d)(\d\d)$/.exec(zone) ?? [];
  if (sign === undefined) return namedZoneSeconds(zone) ?? 0;
  const seconds = (Number(hours) * 60 + Number(minutes)) * 60;
  return Number(minutes) > 59 ? 0 : sign === '-' ? -seconds : seconds;
}

/** Seconds behind midnight in UTC; 0 for a time that is none. */
function timeOf(text: string): number {
  const [, hours, minutes, seconds = '0', zone = ''] = timePattern.exec(text) ?? [];
  if (hours === undefined || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 60) return 0;
  return (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds) - zoneSeconds(zone);
}

/** Seconds since 1970; undefined where there is no date. */
export function parseSentDate(field: string): number | undefined {
  const cut = field.slice(0, dateLengthMax);
  const text = cut.includes('(') || /[\t\r\n]/.test(cut) ? withoutComments(cut) : cut;
  const [, day, month = '', year = '', rest = ''] = datePattern.exec(text) ?? [];
  const index = monthOf(month);
  if (day === undefined || index === -1) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(fullYear(year), index, Number(day));
  // No such day: the calendar would go on into the next month.
  if (date.getUTCDate() !== Number(day)) return undefined;
  return date.getTime() / 1_000 + timeOf(rest);
}
