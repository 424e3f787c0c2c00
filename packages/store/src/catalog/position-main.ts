/** A process that says how much of the log a catalog knows (`position.ts`), and may die of it. Reads only. */
import { argv, stdout } from 'node:process';
import { limits } from '../limits.ts';
import { openLmdbKv } from './lmdb-kv.ts';
import { positionIn, textOfPosition } from './position.ts';

const kv = await openLmdbKv(argv[2] ?? '', { readOnly: true, mapBytes: limits.catalogMapBytes, metaSync: false });
const position = positionIn(kv);
await kv.close();
stdout.write(position === undefined ? '' : textOfPosition(position));
