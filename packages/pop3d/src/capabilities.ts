/** What CAPA says (RFC 2449 §6), before and after the login alike. */
import type { SaslMechanism } from '@mstore/net';

export function capabilities(mechanisms: readonly SaslMechanism[], loginDelayS: number): string[] {
  return [
    'TOP',
    'USER',
    'UIDL',
    `SASL ${mechanisms.map(({ name }) => name).join(' ')}`,
    'RESP-CODES',
    'AUTH-RESP-CODE',
    'PIPELINING',
    ...(loginDelayS > 0 ? [`LOGIN-DELAY ${loginDelayS}`] : []),
    'EXPIRE NEVER',
    'UTF8 USER',
    'IMPLEMENTATION mstore',
  ];
}
