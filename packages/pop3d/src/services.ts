/** What the sessions of a process share. Made once by pop3d.ts; a session costs nothing that could stand here. */
import type { DamagedMessages } from '@mstore/access';
import type { Directory } from '@mstore/directory';
import type { Log, LoginGuard, MetricCounter, SaslMechanism, SessionTable } from '@mstore/net';
import type { MailWriter, StoreReading } from '@mstore/store';
import type { Capabilities } from './capabilities.ts';
import type { Listings } from './listing.ts';
import type { LoginTimes } from './login-times.ts';

export interface Services {
  readonly log: Log;
  readonly directory: Directory;
  readonly guard: LoginGuard;
  /** Of the routes that the directory gives, the one that leads here. */
  readonly route: string;
  readonly reading: StoreReading;
  readonly writer: MailWriter;
  readonly listings: Listings;
  readonly sessions: SessionTable;
  readonly logins: LoginTimes;
  readonly damaged: DamagedMessages;
  /** The lines of CAPA. */
  readonly capabilities: Capabilities;
  /** What AUTH offers. */
  readonly mechanisms: readonly SaslMechanism[];
  /** NUL goes out as octet 0x80. */
  readonly replacesNul: boolean;
  readonly counters: Counters;
}

export interface Counters {
  readonly logins: MetricCounter;
  readonly sessions: MetricCounter;
  readonly retrieved: MetricCounter;
  readonly expunged: MetricCounter;
  readonly octets: MetricCounter;
}
