/** What the sessions of a process share. Made once by imapd.ts; a session costs nothing that could stand here. */
import type { Directory } from '@mstore/directory';
import type { Clock, DeadlineWheel, Log, LoginGuard, MetricCounter, SaslMechanism, SessionTable } from '@mstore/net';
import type { MailWriter, StoreReading } from '@mstore/store';
import type { DamagedMessages } from './damaged-messages.ts';
import type { MailboxNews } from './mailbox-news.ts';
import type { RecentFloors } from './recent-floors.ts';
import type { Views } from './views.ts';

export interface Services {
  readonly log: Log;
  readonly directory: Directory;
  readonly guard: LoginGuard;
  /** Of the routes that the directory gives, the one that leads here. */
  readonly route: string;
  readonly reading: StoreReading;
  readonly writer: MailWriter;
  readonly sessions: SessionTable;
  readonly views: Views;
  readonly recent: RecentFloors;
  readonly news: MailboxNews;
  readonly damaged: DamagedMessages;
  readonly clock: Clock;
  /** For what is to be said after a while. */
  readonly wheel: DeadlineWheel;
  /** What AUTHENTICATE offers. */
  readonly mechanisms: readonly SaslMechanism[];
  /** Octets of the largest message. */
  readonly messageBytes: number;
  readonly counters: Counters;
}

export interface Counters {
  readonly logins: MetricCounter;
  readonly sessions: MetricCounter;
  readonly octets: MetricCounter;
}
