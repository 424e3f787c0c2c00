/** The IMAP daemon: listens, gives each connection to a session, and answers the supervisor. It owns nothing on disk. */
import { type Backing, type DaemonOptions, DamagedMessages, refuseRemote } from '@mstore/access';
import {
  answerAbout,
  ConnectionCounter,
  DeadlineWheel,
  isPeerError,
  type ListenerOptions,
  listenEverywhere,
  MemoryLoginGuard,
  Metrics,
  placesOf,
  type Running,
  SessionTable,
  SharedCounts,
  Siblings,
  saslLogin,
  saslPlain,
  systemClock,
} from '@mstore/net';
import { serveSession } from './dialogue.ts';
import { refusals } from './errors.ts';
import { limits } from './limits.ts';
import { MailboxNews } from './mailbox-news.ts';
import { RecentFloors } from './recent-floors.ts';
import { refused } from './reply.ts';
import type { Services } from './services.ts';
import { shownOf } from './shown.ts';
import { Room } from './sorting/room.ts';
import { Views } from './views.ts';

/**
 * Listens, everywhere or nowhere.
 * @throws Error for an address that cannot be had, or that would let passwords cross the network in the clear
 */
export async function startImap(options: DaemonOptions, backing: Backing): Promise<Running> {
  const { config, log, siblings = new Siblings() } = options;
  const own = options.sockets.length > 0 ? [] : config.listen.imap;
  const places = placesOf(options.sockets, options.directory, own);
  refuseRemote(places, 'imap', config.imap);
  const metrics = new Metrics();
  const services = servicesOf({ ...options, siblings }, backing, metrics);
  const { connections, addressConnections } = config.imap;
  const counter = new ConnectionCounter(connections, addressConnections, siblings);
  const settings: ListenerOptions = {
    wheel: services.wheel,
    counter,
    connectionsMax: connections,
    idleTimeoutMs: limits.idleTimeoutMs,
    serve: (connection) => serveSession(services, connection),
    failed: (error, { remoteAddress: remote }) => {
      if (isPeerError(error)) log.info('connection lost', { remote, why: error.message });
      else log.error('session failed', { remote }, error);
    },
    refusal: (why) => refused('*', why === 'stopping' ? refusals.stopping : refusals.tooManyConnections),
    refused: (why, remote) => log.warn('connection refused', { remote, why }),
    notAccepted: (error) => log.error('a connection could not be accepted', {}, error),
  };
  metrics.gauge('mstore_imap_connections', 'IMAP connections that are open', () => counter.open);
  const listeners = await listenEverywhere(places, settings);
  const unsubscribe = services.writer.subscribeFeed((changes) => {
    services.recent.heard(changes);
    services.news.heard(changes);
  });
  return {
    ready: { imap: listeners.map(({ address }) => address) },
    answer: (about, args) => answerAbout({ sessions: services.sessions, metrics }, about, args),
    drain: async (deadlineMs) => {
      await Promise.all(listeners.map((listener) => listener.drain(deadlineMs)));
      unsubscribe();
    },
  };
}

type SharedOptions = DaemonOptions & { readonly siblings: Siblings };

function servicesOf(options: SharedOptions, backing: Backing, metrics: Metrics): Services {
  const { config, log, siblings, clock = systemClock } = options;
  const mechanisms = [saslPlain, saslLogin];
  return {
    reading: backing.reading,
    writer: backing.writer,
    directory: backing.directory,
    log,
    guard: new MemoryLoginGuard({ clock, siblings }),
    route: config.server.route,
    sessions: new SessionTable(clock),
    userSessions: new SharedCounts('userSessions', siblings),
    userSessionsMax: config.imap.userConnections,
    views: new Views(),
    recent: new RecentFloors(),
    news: new MailboxNews(),
    damaged: new DamagedMessages(siblings),
    sorting: new Room(limits.sortedMessages),
    clock,
    wheel: new DeadlineWheel(clock),
    mechanisms,
    shownOf: (octets, first) => shownOf(octets, first, mechanisms),
    messageBytes: config.limits.messageBytes,
    compressed: { count: 0 },
    counters: {
      logins: metrics.counter('mstore_imap_logins_total', 'IMAP logins, by how they ended', ['outcome']),
      sessions: metrics.counter('mstore_imap_sessions_total', 'IMAP sessions begun'),
      octets: metrics.counter('mstore_imap_sent_bytes_total', 'octets sent by IMAP, counted when a session ends'),
    },
  };
}
