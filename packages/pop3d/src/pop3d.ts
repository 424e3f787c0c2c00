/** The POP3 daemon: listens, gives each connection to a session, and answers the supervisor. It owns nothing on disk. */
import { type Backing, type DaemonOptions, DamagedMessages, type RunningDaemon, refuseRemote } from '@mstore/access';
import {
  AskedClaims,
  answerAbout,
  ConnectionCounter,
  DeadlineWheel,
  isPeerError,
  type ListenerOptions,
  listenEverywhere,
  MemoryClaims,
  MemoryLoginGuard,
  Metrics,
  netLimits,
  placesOf,
  SessionTable,
  Siblings,
  saslLogin,
  saslPlain,
  systemClock,
} from '@mstore/net';
import type { Retention } from '@mstore/store';
import { capabilities } from './capabilities.ts';
import { serveSession } from './dialogue.ts';
import { refusals } from './errors.ts';
import { limits } from './limits.ts';
import { Listings } from './listing.ts';
import { LoginTimes } from './login-times.ts';
import { err } from './reply.ts';
import type { Services } from './services.ts';

/**
 * Listens, everywhere or nowhere.
 * @throws Error for an address that cannot be had, or that would let passwords cross the network in the clear
 */
export async function startPop3(options: DaemonOptions, backing: Backing): Promise<RunningDaemon> {
  const { config, log, siblings = new Siblings() } = options;
  const own = options.sockets.length > 0 ? [] : config.listen.pop3;
  const places = placesOf(options.sockets, options.directory, own);
  refuseRemote(places, 'pop3', config.pop3);
  const metrics = new Metrics();
  let { retention } = config;
  const services = servicesOf({ ...options, siblings }, backing, metrics, () => retention);
  const counter = new ConnectionCounter(config.pop3.connections, netLimits.addressConnections, siblings);
  const settings: ListenerOptions = {
    wheel: new DeadlineWheel(options.clock ?? systemClock),
    counter,
    connectionsMax: config.pop3.connections,
    idleTimeoutMs: limits.idleTimeoutMs,
    serve: (connection) => serveSession(services, connection),
    failed: (error, { remoteAddress: remote }) => {
      if (isPeerError(error)) log.info('connection lost', { remote, why: error.message });
      else log.error('session failed', { remote }, error);
    },
    refusal: (why) => err(why === 'stopping' ? refusals.stopping : refusals.tooManyConnections),
    refused: (why, remote) => log.warn('connection refused', { remote, why }),
    notAccepted: (error) => log.error('a connection could not be accepted', {}, error),
  };
  metrics.gauge('mstore_pop3_connections', 'POP3 connections that are open', () => counter.open);
  const listeners = await listenEverywhere(places, settings);
  return {
    ready: { pop3: listeners.map(({ address }) => address) },
    reconfigure: (changed) => {
      retention = changed.retention;
    },
    answer: (about, args) => answerAbout({ sessions: services.sessions, metrics }, about, args),
    drain: async (deadlineMs) => {
      await Promise.all(listeners.map((listener) => listener.drain(deadlineMs)));
    },
  };
}

type SharedOptions = DaemonOptions & { readonly siblings: Siblings };

function servicesOf(options: SharedOptions, backing: Backing, metrics: Metrics, retention: () => Retention): Services {
  const { config, log, siblings, clock = systemClock } = options;
  const { loginDelay, nul } = config.pop3;
  const mechanisms = [saslPlain, saslLogin];
  return {
    reading: backing.reading,
    writer: backing.writer,
    directory: backing.directory,
    log,
    guard: new MemoryLoginGuard({ clock, siblings }),
    route: config.server.route,
    listings: new Listings(backing.reading),
    sessions: new SessionTable(clock),
    logins: new LoginTimes(
      loginDelay,
      siblings.areSupervised ? new AskedClaims(siblings) : new MemoryClaims(clock),
      log,
    ),
    damaged: new DamagedMessages(siblings),
    capabilities: capabilities({
      mechanisms,
      loginDelay,
      reading: backing.reading,
      retention,
      clock,
    }),
    mechanisms,
    replacesNul: nul === 'replace',
    counters: {
      logins: metrics.counter('mstore_pop3_logins_total', 'POP3 logins, by how they ended', ['outcome']),
      sessions: metrics.counter('mstore_pop3_sessions_total', 'POP3 sessions begun'),
      retrieved: metrics.counter('mstore_pop3_messages_retrieved_total', 'messages sent whole by POP3'),
      expunged: metrics.counter('mstore_pop3_messages_expunged_total', 'messages expunged by POP3'),
      octets: metrics.counter('mstore_pop3_sent_bytes_total', 'octets sent by POP3, counted when a session ends'),
    },
  };
}
