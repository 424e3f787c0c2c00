/**
 * The writer's process: the store's one writer with its socket, and the doors that mail comes in by, so that a delivery
 * crosses no other process. Started by `mstore serve`, which owns the listening sockets:
 *
 *     writer-main.js --data DIR [--config FILE] [--socket=lmtp:FD:ADDRESS]... [--socket=lda:FD:ADDRESS]
 *
 * A store that has failed ends the process with exit code 74 (EX_IOERR): the next one recovers what was acknowledged.
 */
import { parseArgs } from 'node:util';
import { CachedDirectory, configuredDirectory } from '@mstore/directory';
import {
  answerAbout,
  type InheritedSocket,
  type Log,
  Metrics,
  openLog,
  parseSocketArgument,
  type Running,
  runProcess,
  SessionTable,
  systemClock,
} from '@mstore/net';
import { type Config, loadConfig, type OwnStore, openAsWriter, storeOptions } from '@mstore/store';
import { Delivery } from './delivery-core.ts';
import { DeliveryLog } from './delivery-log.ts';
import { LdaServer } from './lda-server.ts';
import { limits } from './limits.ts';
import { Lmtpd } from './lmtpd.ts';
import { deliverySettings, pipeSettings } from './settings.ts';

const failedExit = 74;

async function start(data: string, sockets: readonly InheritedSocket[], config: Config, log: Log): Promise<Running> {
  const own = await openAsWriter(data, storeOptions(config));
  const { store } = own;
  const directory = new CachedDirectory(configuredDirectory(data, config));
  const metrics = new Metrics();
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
  endWithStore(own, log, drain);
  keepCompact(own, log, config);
  return {
    ready: { lmtp, lda },
    drain: async (deadlineMs) => {
      await drain(deadlineMs);
      await own.close();
      await directory.close();
    },
    reload: async () => {
      const { overQuota, detail } = deliverySettings((await loadConfig(data, values.config)).config);
      // Name, route, domain and separator are the directory's and other daemons' too: they change with the process.
      delivery.settings = { ...delivery.settings, overQuota, detail };
    },
    answer: async (about, args) => {
      // The supervisor stops the doors before it ends this process: other daemons' sessions may still need the writer.
      if (about === 'drain') return drain(drainMs);
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

/** When the store can take nothing any more, sessions get their last replies, and the process ends. */
function endWithStore({ store }: OwnStore, log: Log, drain: (deadlineMs: number) => Promise<void>): void {
  void store.failed.then(async (error) => {
    log.error('the store failed: ending, so that it is opened again and recovers', {}, error);
    await drain(limits.failedDrainMs);
    process.exit(failedExit);
  });
}

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    config: { type: 'string' },
    socket: { type: 'string', multiple: true, default: [] },
  },
});
const data = values.data ?? '';
const early = openLog({ name: 'writer' });
const loaded = await loadConfig(data, values.config).catch((error: unknown) => {
  early.fatal('not started', {}, error);
  return process.exit(78);
});
const { config } = loaded;
const log = openLog({ name: 'writer', level: config.server.logLevel, bufferBytes: limits.logBufferBytes });
const drainMs = config.server.drain * 1_000;
await runProcess({ log, drainMs, endWithParent: true }, () =>
  start(data, values.socket.map(parseSocketArgument), config, log),
);
