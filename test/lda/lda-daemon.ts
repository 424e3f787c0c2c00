/**
 * A daemon with nothing but `run/lda.sock`: for tests of mstore-lda as a process, which may kill it. Arguments: the store's
 * directory, and ms of waiting in which a message must come forward.
 */
import { SqliteDirectory } from '@mstore/directory';
import { Delivery, DeliveryLog, deliverySettings, LdaServer, pipeSettings } from '@mstore/lda';
import { Metrics, openLog, runProcess, SessionTable, systemClock } from '@mstore/net';
import { loadConfig, workOn } from '@mstore/store';

const [path = '', stallTimeoutMs = '180000'] = process.argv.slice(2);
const log = openLog({ name: 'lda-daemon' });

await runProcess({ log, drainMs: 2_000, endWithParent: true }, async () => {
  const { config } = await loadConfig(path);
  const store = await workOn(path, { messageBytes: config.limits.messageBytes });
  const directory = new SqliteDirectory(`${path}/directory.sqlite`);
  const delivery = new Delivery({
    directory,
    writer: store.writer,
    catalog: () => store.reading.catalog(),
    settings: deliverySettings(config),
    clock: systemClock,
  });
  const server = new LdaServer({
    delivery,
    writer: store.writer,
    settings: pipeSettings(config),
    sessions: new SessionTable(),
    log,
    record: new DeliveryLog(log, new Metrics()),
    clock: systemClock,
    stallTimeoutMs: Number(stallTimeoutMs),
  });
  const address = await server.listen({ kind: 'unix', path: `${path}/run/lda.sock` });
  return {
    ready: { lda: [address] },
    drain: async (deadlineMs) => {
      await server.drain(deadlineMs);
      await directory.close();
      await store.close();
    },
  };
});
