/** The writing process of `kv.test.ts`: writes each `[key, value]` it is sent and answers when it is durable, or how it failed. */
import { openLmdbKv } from '@mstore/store/internal/catalog/lmdb-kv';
import { errorText, isStoreError } from '@mstore/store/internal/errors';

const [path, mapBytes] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: kv-writer PATH MAPBYTES');
const kv = openLmdbKv(path, { readOnly: false, mapBytes: Number(mapBytes) });

process.on('message', ([key, value]: [string, string]) => {
  void kv.write([{ table: 'meta', key: Buffer.from(key), value: Buffer.from(value) }]).then(
    () => process.send?.('durable'),
    (error: unknown) => process.send?.(isStoreError(error) ? error.code : errorText(error)),
  );
});
