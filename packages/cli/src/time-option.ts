/** Times and spans of days as people write them on the command line. */
import { type OwnRetention, type RetentionKey, retentionDaysMax, retentionKeys } from '@mstore/store';
import { InvalidArgumentError } from 'commander';

const spanSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** Seconds since 1970 of `2026-11-20`, `2026-11-20T10:00`, with `Z` or an offset, else local; or of `2d` before `nowMs`. */
export function parseTime(text: string, nowMs: number): number {
  const span = /^(\d{1,6})([smhdw])$/.exec(text);
  if (span !== null) {
    return Math.floor(nowMs / 1_000) - Number(span[1]) * (spanSeconds[span[2] ?? 's'] ?? 1);
  }
  const date = /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T00:00:00`) : new Date(text.replace(' ', 'T'));
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError('A time as 2026-11-20, 2026-11-20T10:00, or a span before now as 2d, 3h.');
  }
  return Math.floor(date.getTime() / 1_000);
}

/** A change of an account's retention: days, or undefined for the store's. */
export type RetentionChange = ReadonlyMap<RetentionKey, number | undefined>;

const help = `As "expunged=14d,trash=30d,junk=never,pop3=default", or "default" for all: up to ${retentionDaysMax} days each.`;

export function retentionOption(text: string): RetentionChange {
  const change = new Map<RetentionKey, number | undefined>();
  if (text === 'default') {
    for (const key of retentionKeys) change.set(key, undefined);
    return change;
  }
  for (const part of text.split(',')) {
    const [name, value = ''] = part.trim().split('=');
    const key = retentionKeys.find((known) => known === name);
    if (key === undefined) throw new InvalidArgumentError(help);
    if (value === 'default') change.set(key, undefined);
    else change.set(key, daysOf(key, value));
  }
  return change;
}

function daysOf(key: RetentionKey, value: string): number {
  if (value === 'never' && key !== 'expunged') return 0;
  const match = /^(\d{1,4})d?$/.exec(value);
  const days = Number(match?.[1] ?? Number.NaN);
  if (!(days <= retentionDaysMax)) throw new InvalidArgumentError(help);
  return days;
}

export function changedRetention(own: OwnRetention, change: RetentionChange): OwnRetention {
  const result: { [Key in RetentionKey]?: number } = { ...own };
  for (const [key, days] of change) {
    if (days === undefined) delete result[key];
    else result[key] = days;
  }
  return result;
}
