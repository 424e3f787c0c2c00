/**
 * A process of `kv.test.ts` that opens a catalog for reading, looks at it and closes it, again and again until it is killed. With a third
 * argument it goes on where there is no catalog to be seen, as there may be beside a transaction that was taken away.
 */
import { isStoreError } from '@mstore/store';
import { openLmdbKv } from '@mstore/store/internal/catalog/lmdb-kv';

const [path, mapBytes, goesOn] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: kv-opener PATH MAPBYTES [goesOn]');

for (let opened = 1; ; opened++) {
  const kv = await openLmdbKv(path, { readOnly: true, mapBytes: Number(mapBytes) });
  try {
    kv.get('meta', Buffer.from('a'));
  } catch (error) {
    if (goesOn === undefined || !isStoreError(error, 'catalogMissing')) throw error;
  }
  await kv.close();
  await new Promise((resolve) => process.send?.(opened, resolve));
}
