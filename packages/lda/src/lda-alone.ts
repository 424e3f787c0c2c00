/** mstore-lda without a daemon: as the store's writer, or as a client of the command that is. */
import { configuredDirectory } from '@mstore/directory';
import { sessionId, systemClock } from '@mstore/net';
import { type Catalog, type Config, loadConfig, storeOptions, type WorkingStore, workOn } from '@mstore/store';
import { Delivery } from './delivery-core.ts';
import type { LdaAnswer } from './exit-codes.ts';
import { deliverPiped } from './pipe-delivery.ts';
import { deliverySettings, pipeSettings } from './settings.ts';

/** Delivers into the store of a directory. @throws what keeps the message with the mail server */
export async function deliverAlone(
  directory: string,
  args: readonly string[],
  octets: AsyncIterable<Buffer>,
): Promise<LdaAnswer> {
  const { config } = await loadConfig(directory);
  const store = await workOn(directory, storeOptions(config));
  try {
    return await deliverTo(store, directory, config, args, octets);
  } finally {
    // What was answered is durable by now: a store that does not close well must not have it delivered once more.
    await store.close().catch(() => undefined);
  }
}

async function deliverTo(
  { writer, reading }: WorkingStore,
  path: string,
  config: Config,
  args: readonly string[],
  octets: AsyncIterable<Buffer>,
): Promise<LdaAnswer> {
  const directory = configuredDirectory(path, config);
  try {
    const catalog = (): Catalog => reading.catalog();
    const delivery = new Delivery({
      directory,
      writer,
      catalog,
      settings: deliverySettings(config),
      clock: systemClock,
    });
    const ports = { delivery, writer, settings: pipeSettings(config) };
    return (await deliverPiped(ports, sessionId(), args, octets)).answer;
  } finally {
    await directory.close();
  }
}
