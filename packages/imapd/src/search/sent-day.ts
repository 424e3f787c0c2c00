/**
 * The day of a Date field (RFC 5322 §3.3, §4.3) as it is written there, whatever the time and zone: what SENTBEFORE, SENTON and
 * SENTSINCE compare (RFC 9051 §6.4.4).
 */
import { fullYear } from '@mstore/store';
import { type Day, dayOf } from '../wire/date-time.ts';

const date = /^\s*(?:[A-Za-z]+\s*,?\s*)?(\d{1,2})[\s-]+([A-Za-z]{3})[A-Za-z]*[\s,.-]+(\d{2,4})(?!\d)/;

/** Undefined for what is no date. */
export function sentDay(field: string): Day | undefined {
  const [, day = '', month = '', digits = ''] = date.exec(withoutComments(field)) ?? [];
  return digits === '' ? undefined : dayOf(fullYear(digits), month, Number(day));
}

function withoutComments(field: string): string {
  return field.slice(0, 200).replace(/\([^()]*\)/g, ' ');
}
