/** What the sessions of a process share. Made once by imapd.ts; a session costs nothing that could stand here. */
import type { DamagedMessages } from '@mstore/access';
import type { Directory } from '@mstore/directory';
import type {
  Clock,
  DeadlineWheel,
  Log,
  LoginGuard,
  MetricCounter,
  SaslMechanism,
  SessionTable,
  SharedCounts,
} from '@mstore/net';
import type { MailWriter, StoreReading } from '@mstore/store';
import type { MailboxNews } from './mailbox-news.ts';
import type { RecentFloors } from './recent-floors.ts';
import type { Room } from './sorting/room.ts';
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
  /** Sessions that are logged in, by account, in all processes. */
  readonly userSessions: SharedCounts;
  /** Of one user. */
  readonly userSessionsMax: number;
  readonly views: Views;
  readonly recent: RecentFloors;
  readonly news: MailboxNews;
  readonly damaged: DamagedMessages;
  /** For the messages that are sorted. */
  readonly sorting: Room;
  readonly clock: Clock;
  /** For what is to be said after a while. */
  readonly wheel: DeadlineWheel;
  /** What AUTHENTICATE offers. */
  readonly mechanisms: readonly SaslMechanism[];
  /** What a trace may show of a line or a literal of a command; `first` is the command's first line. */
  readonly shownOf: (octets: Buffer, first: Buffer) => Buffer | string;
  /** Octets of the largest message. */
  readonly messageBytes: number;
  /** How many connections are compressed. */
  readonly compressed: { count: number };
  readonly counters: Counters;
}

export interface Counters {
  readonly logins: MetricCounter;
  readonly sessions: MetricCounter;
  readonly octets: MetricCounter;
}
