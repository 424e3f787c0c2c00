/**
 * How much of the log a catalog knows. A rebuild asks this of the catalog that it takes the place of: where the log ends before that,
 * acknowledged history is missing.
 *
 * A damaged or cut file can kill whoever maps it into memory (SIGBUS, an assertion in LMDB), and a rebuild is what such a file
 * asks for. So it is looked at by a process of its own (`position-main.ts`), whose end of any kind but a good one means: not known.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { limits } from '../limits.ts';
import { brandNumber, type Lsn } from '../types.ts';
import { Catalog } from './catalog.ts';
import { formatOf } from './earlier-format.ts';
import type { Kv } from './kv.ts';
import { catalogFormat } from './schema.ts';
import { View } from './write-set.ts';

export interface CatalogPosition {
  readonly storeId: Buffer;
  /** Everything in the log below this LSN is in the catalog. */
  readonly appliedLsn: Lsn;
  /** The highest segment that has a row. */
  readonly segment: number;
}

/** Undefined where the catalog is empty or of another format. @throws {StoreError} catalogMissing; {DecodeError} a damaged row */
export function positionIn(kv: Kv): CatalogPosition | undefined {
  if (formatOf(kv) !== catalogFormat) return undefined;
  const catalog = new Catalog(new View(kv));
  const state = catalog.state();
  if (state === undefined) return undefined;
  const numbers = [...catalog.segments()].map(([number]) => number);
  return { storeId: state.storeId, appliedLsn: state.appliedLsn, segment: Math.max(0, ...numbers) };
}

const shape = z.object({
  storeId: z.hex().length(32),
  appliedLsn: z.int().nonnegative(),
  segment: z.int().nonnegative(),
});

/** As `position-main.ts` says it. */
export function textOfPosition({ storeId, appliedLsn, segment }: CatalogPosition): string {
  return `${JSON.stringify({ storeId: storeId.toString('hex'), appliedLsn, segment })}\n`;
}

/** The position of the LMDB catalog in a directory; undefined where it cannot be known, whatever happened to who looked. */
export async function positionAt(path: string): Promise<CatalogPosition | undefined> {
  return positionFrom((await looked(path)).text);
}

/** What kills a process that reads the LMDB catalog in a directory, as `SIGBUS`; undefined where nothing does. */
export async function deathAt(path: string): Promise<string | undefined> {
  const { signal } = await looked(path);
  // Sent by us to one that took too long.
  return signal === 'SIGKILL' ? undefined : signal;
}

/** What the process of its own said, and the signal that ended it, if one did. */
function looked(path: string): Promise<{ readonly text: string; readonly signal: string | undefined }> {
  const program = fileURLToPath(new URL('./position-main.js', import.meta.url));
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, path],
      { timeout: limits.positionMs, killSignal: 'SIGKILL' },
      (error, text) => {
        resolve({ text: error === null ? text : '', signal: error?.signal });
      },
    );
  });
}

function positionFrom(text: string): CatalogPosition | undefined {
  if (text === '') return undefined;
  const { storeId, appliedLsn, segment } = shape.parse(JSON.parse(text));
  return { storeId: Buffer.from(storeId, 'hex'), appliedLsn: brandNumber<Lsn>(appliedLsn), segment };
}
