/** The IMAP daemon: listens, gives each connection to a session, and answers the supervisor. It owns nothing on disk. */
import {
  answerAbout,
  type Clock,
  ConnectionCounter,
  DeadlineWheel,
  type InheritedSocket,
  isLocalAddress,
  isPeerError,
  type ListenerOptions,
  type Log,
  listenEverywhere,
  MemoryLoginGuard,
  Metrics,
  placesOf,
  type Running,
  SessionTable,
  saslLogin,
  saslPlain,
  systemClock,
} from '@mstore/net';
import type { Config } from '@mstore/store';
import type { Backing } from './backing.ts';
import { DamagedMessages } from './damaged-messages.ts';
import { serveSession } from './dialogue.ts';
import { refusals } from './errors.ts';
import { limits } from './limits.ts';
import { MailboxNews } from './mailbox-news.ts';
import { RecentFloors } from './recent-floors.ts';
import { refused } from './reply.ts';
import type { Services } from './services.ts';
import { Views } from './views.ts';

export interface ImapOptions {
  /** The store's directory, which also holds the user directory. */
  readonly directory: string;
  readonly config: Config;
  readonly log: Log;
  /** Sockets that a supervisor bound. */
  readonly sockets: readonly InheritedSocket[];
  /** Where else to listen; a relative Unix path is below the store's directory. */
  readonly addresses: readonly string[];
  readonly clock?: Clock;
}

/**
 * Listens, everywhere or nowhere.
 * @throws Error for an address that cannot be had, or that would let passwords cross the network in the clear
 */
export async function startImap(options: ImapOptions, backing: Backing): Promise<Running> {
  const { log } = options;
  const places = placesOf(options.sockets, options.directory, options.addresses);
  refuseRemote(places);
  const metrics = new Metrics();
  const services = servicesOf(options, backing, metrics);
  const counter = new ConnectionCounter(limits.connections);
  const settings: ListenerOptions = {
    wheel: services.wheel,
    counter,
    connectionsMax: limits.connections,
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

/** @throws Error for an address that would let passwords cross the network in the clear */
function refuseRemote(places: ReturnType<typeof placesOf>): void {
  for (const { address } of places) {
    if (isLocalAddress(address)) continue;
    throw new Error(
      'IMAP without TLS does not listen beyond this machine: passwords would cross the network in the clear. Listen on 127.0.0.1',
    );
  }
}

function servicesOf(options: ImapOptions, backing: Backing, metrics: Metrics): Services {
  const { config, log, clock = systemClock } = options;
  return {
    reading: backing.reading,
    writer: backing.writer,
    directory: backing.directory,
    log,
    guard: new MemoryLoginGuard({ clock }),
    route: config.server.route,
    sessions: new SessionTable(clock),
    views: new Views(),
    recent: new RecentFloors(),
    news: new MailboxNews(),
    damaged: new DamagedMessages(),
    clock,
    wheel: new DeadlineWheel(clock),
    mechanisms: [saslPlain, saslLogin],
    messageBytes: config.limits.messageBytes,
    counters: {
      logins: metrics.counter('mstore_imap_logins_total', 'IMAP logins, by how they ended', ['outcome']),
      sessions: metrics.counter('mstore_imap_sessions_total', 'IMAP sessions begun'),
      octets: metrics.counter('mstore_imap_sent_bytes_total', 'octets sent by IMAP, counted when a session ends'),
    },
  };
}
