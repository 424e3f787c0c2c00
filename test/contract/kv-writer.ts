/**
 * The writing process of `kv.test.ts`: writes each `[key, value]` it is sent into two tables
 * and answers when that is durable, or how it failed.
 */
import { openLmdbKv } from '@mstore/store/internal/catalog/lmdb-kv';
import { errorText, isStoreError } from '@mstore/store/internal/errors';

const [path, mapBytes] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: kv-writer PATH MAPBYTES');
const kv = await openLmdbKv(path, { readOnly: false, mapBytes: Number(mapBytes) });

let last: Promise<unknown> = Promise.resolve();

process.on('message', ([name, text]: [string, string]) => {
  const [key, value] = [Buffer.from(name), Buffer.from(text)];
  last = last
    .then(() =>
      kv.write([
        { table: 'meta', key, value },
        { table: 'parts', key, value },
      ]),
    )
    .then(
      () => process.send?.('durable'),
      (error: unknown) => process.send?.(isStoreError(error) ? error.code : errorText(error)),
    );
});
