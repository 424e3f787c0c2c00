/** A process of `kv.test.ts` that opens a catalog for reading, looks at it and closes it, again and again until it is killed. */
import { openLmdbKv } from '@mstore/store/internal/catalog/lmdb-kv';

const [path, mapBytes] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: kv-opener PATH MAPBYTES');

for (let opened = 1; ; opened++) {
  const kv = await openLmdbKv(path, { readOnly: true, mapBytes: Number(mapBytes) });
  kv.get('meta', Buffer.from('a'));
  await kv.close();
  await new Promise((resolve) => process.send?.(opened, resolve));
}
