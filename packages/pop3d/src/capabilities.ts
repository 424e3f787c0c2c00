/** What CAPA says (RFC 2449 §6), before and after the login alike but for EXPIRE, which an account may have its own of. */
import type { Clock, SaslMechanism } from '@mstore/net';
import { type AccountId, ownRetentions, type Retention, retentionOf, type StoreReading } from '@mstore/store';
import { limits } from './limits.ts';

export interface CapabilityOptions {
  readonly mechanisms: readonly SaslMechanism[];
  /** Seconds. */
  readonly loginDelay: number;
  readonly reading: Pick<StoreReading, 'catalog'>;
  /** As it is configured now. */
  readonly retention: () => Retention;
  readonly clock: Clock;
}

/** The lines of CAPA for an account, or for whoever is not known yet. */
export type Capabilities = (account: AccountId | undefined) => readonly string[];

export function capabilities(options: CapabilityOptions): Capabilities {
  const { reading, retention, clock } = options;
  let anybody = '';
  let until = Number.NEGATIVE_INFINITY;
  let known: Retention | undefined;
  const forAnybody = (): string => {
    const configured = retention();
    if (configured === known && clock.monotonic() < until) return anybody;
    known = configured;
    until = clock.monotonic() + limits.expireFreshMs;
    anybody = expireOfAnybody(reading, configured);
    return anybody;
  };
  return (account) => {
    const expire =
      account === undefined ? forAnybody() : expireText(retentionOf(reading.catalog(), account, retention()).pop3);
    return lines(options, expire);
  };
}

function expireText(days: number): string {
  return days === 0 ? 'EXPIRE NEVER' : `EXPIRE ${days}`;
}

/** The fewest days that anybody's messages stay; USER where accounts differ (RFC 2449 §6.7). */
function expireOfAnybody(reading: Pick<StoreReading, 'catalog'>, retention: Retention): string {
  const days = [retention.pop3];
  for (const { pop3 } of ownRetentions(reading.catalog(), limits.ownRetentions))
    if (pop3 !== undefined) days.push(pop3);
  const some = days.filter((count) => count > 0);
  const fewest = some.length === 0 ? 0 : Math.min(...some);
  return days.every((count) => count === fewest) ? expireText(fewest) : `${expireText(fewest)} USER`;
}

function lines({ mechanisms, loginDelay: loginDelayS }: CapabilityOptions, expire: string): string[] {
  return [
    'TOP',
    'USER',
    'UIDL',
    `SASL ${mechanisms.map(({ name }) => name).join(' ')}`,
    'RESP-CODES',
    'AUTH-RESP-CODE',
    'PIPELINING',
    ...(loginDelayS > 0 ? [`LOGIN-DELAY ${loginDelayS}`] : []),
    expire,
    'UTF8 USER',
    'IMPLEMENTATION mstore',
  ];
}
