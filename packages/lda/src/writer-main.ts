/**
 * The writer's process: the store's one writer with its socket, and the doors that mail comes in by, so that a delivery
 * crosses no other process. Started by `mstore serve`, which owns the listening sockets:
 *
 *     writer-main.js --data DIR [--config FILE] [--new-catalog] [--socket=lmtp:FD:ADDRESS]... [--socket=lda:FD:ADDRESS]
 *
 * A store that has failed ends the process, and the next one recovers what was acknowledged. The exit code says what failed: 71
 * (EX_OSERR) the catalog's device, so that the next one is started with --new-catalog, in case the disk did not take the mark
 * that says the same; 75 (EX_TEMPFAIL) the catalog found no space; 74 (EX_IOERR) anything else.
 */
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { CachedDirectory, configuredDirectory } from '@mstore/directory';
import {
  answerAbout,
  endWith,
  type InheritedSocket,
  type Log,
  Metrics,
  openLog,
  parseSocketArgument,
  type Running,
  refuseConfiguration,
  runProcess,
  SessionTable,
  systemClock,
} from '@mstore/net';
import {
  BackgroundScrub,
  type Config,
  isStoreError,
  isSuspectFailure,
  loadConfig,
  type OwnStore,
  openAsWriter,
  RetentionRunner,
  type StoreError,
  type StoreNotice,
  storeOptions,
} from '@mstore/store';
import { Delivery } from './delivery-core.ts';
import { DeliveryLog } from './delivery-log.ts';
import { LdaServer } from './lda-server.ts';
import { limits } from './limits.ts';
import { Lmtpd } from './lmtpd.ts';
import { RetentionLog } from './retention-log.ts';
import { ScrubRecord } from './scrub-record.ts';
import { catalogFailedExit, deliverySettings, pipeSettings } from './settings.ts';
import { logNotice, measureHealth } from './store-log.ts';

/**
 * The engine collects all garbage when its heap has grown by about a half, and messages on their way in count as heap: a full collection
 * for every hundred small ones. This heap is small; it may grow to four times what lives.
 */
setFlagsFromString('--heap-growing-percent=300');

/** How the process ends when the store has failed. */
function failedExit(error: StoreError): number {
  if (isSuspectFailure(error)) return catalogFailedExit;
  return error.code === 'diskFull' ? 75 : failedElsewhere;
}

const failedElsewhere = 74;

async function start(data: string, sockets: readonly InheritedSocket[], config: Config, log: Log): Promise<Running> {
  const tell = (notice: StoreNotice): void => logNotice(log, notice);
  const newCatalog = values['new-catalog'];
  const own = await openAsWriter(data, { ...storeOptions(config), tell, newCatalog });
  const { store } = own;
  const directory = new CachedDirectory(configuredDirectory(data, config));
  const metrics = new Metrics();
  measureHealth(metrics, () => store.health);
  const sessions = new SessionTable();
  const record = new DeliveryLog(log, metrics);
  const catalog = (): ReturnType<typeof store.catalog> => store.catalog();
  const settings = deliverySettings(config);
  const delivery = new Delivery({ directory, writer: store, catalog, settings, clock: systemClock });
  const expectDelivery = (): (() => void) => store.expectDelivery();
  const service = { delivery, writer: store, expectDelivery, log, record, clock: systemClock, sessions };
  const { messageBytes } = config.limits;
  const lmtpd = new Lmtpd({ ...service, messageBytes, connectionsMax: config.lmtp.connections });
  const ldaServer = new LdaServer({ ...service, settings: pipeSettings(config) });
  const lmtp: string[] = [];
  const lda: string[] = [];
  for (const { name, fd, address } of sockets) {
    if (name === 'lmtp') lmtp.push(await lmtpd.listenOn(fd, address));
    else if (name === 'lda') lda.push(await ldaServer.listenOn(fd, address));
    else throw new Error(`no use for a socket named ${name}`);
  }
  const drain = async (deadlineMs: number): Promise<void> => {
    await Promise.all([lmtpd.drain(deadlineMs), ldaServer.drain(deadlineMs)]);
  };
  const observer = new RetentionLog(log, metrics);
  const retention = new RetentionRunner(store, { settings: config.retention, clock: systemClock, observer });
  retention.start();
  endWithStore(own, log, drain);
  keepCompact(own, log, config);
  const scrubbing = new BackgroundScrub(data, catalog, config.scrub, new ScrubRecord(log, metrics));
  return {
    ready: { lmtp, lda },
    drain: async (deadlineMs) => {
      await Promise.all([drain(deadlineMs), scrubbing.stop(), retention.stop()]);
      await closeStore(own, log);
      await directory.close();
    },
    reload: async () => {
      const { config: changed } = await loadConfig(data, values.config);
      const { overQuota, detail } = deliverySettings(changed);
      retention.settings = changed.retention;
      // Name, route, domain and separator are the directory's and other daemons' too: they change with the process.
      delivery.settings = { ...delivery.settings, overQuota, detail };
    },
    answer: async (about, args) => {
      // The supervisor stops the doors before it ends this process: other daemons' sessions may still need the writer.
      if (about === 'drain') return drain(drainMs);
      if (about === 'health') return store.health;
      return answerAbout({ sessions, metrics }, about, args);
    },
  };
}

/** Garbage in the heap goes back to the disk. */
function keepCompact({ store }: OwnStore, log: Log, { compaction, heap }: Config): void {
  const { automatic, garbage, rate, idle } = compaction;
  if (!automatic) return;
  const rules = { minGarbage: garbage, maxRate: rate, idleMs: idle * 1_000, segmentBytes: heap.segmentBytes };
  store.compactAlone(rules, {
    compacted: ({ segments, retiredBytes, writtenBytes, kept }) => {
      log.info('compacted', { segments: segments.length, retiredBytes, writtenBytes });
      for (const { segment, reason, damaged } of kept) {
        if (damaged) log.error('a damaged segment is not compacted: run mstore fsck', { segment, reason });
      }
    },
    failed: (error) => log.error('compaction ended', {}, error),
  });
}

/** A clean stop that the disk does not take is made good by the next start. */
async function closeStore(own: OwnStore, log: Log): Promise<void> {
  try {
    await own.close();
  } catch (error) {
    if (!isStoreError(error)) throw error;
    log.error('stopped without a last write: the next start recovers', {}, error);
  }
}

/**
 * When the store can take nothing any more, sessions get their last replies, and the process ends: at once behind a failed write of the
 * catalog, because LMDB's code for that leaves the process's memory damaged (catalog/lmdb-kv.ts).
 */
function endWithStore({ store }: OwnStore, log: Log, drain: (deadlineMs: number) => Promise<void>): void {
  void store.failed.then(async (error) => {
    const exitCode = failedExit(error);
    log.error('the store failed: ending, so that it is opened again and recovers', { exitCode }, error);
    if (exitCode === failedElsewhere) await drain(limits.failedDrainMs);
    await endWith(exitCode);
  });
}

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    config: { type: 'string' },
    'new-catalog': { type: 'boolean', default: false },
    socket: { type: 'string', multiple: true, default: [] },
  },
});
const data = values.data ?? '';
const early = openLog({ name: 'writer' });
const loaded = await loadConfig(data, values.config).catch((error: unknown) => refuseConfiguration(early, error));
const { config } = loaded;
const log = openLog({ name: 'writer', level: config.server.logLevel, bufferBytes: limits.logBufferBytes });
const drainMs = config.server.drain * 1_000;
await runProcess({ log, drainMs, endWithParent: true }, () =>
  start(data, values.socket.map(parseSocketArgument), config, log),
);
