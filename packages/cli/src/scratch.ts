/** A scratch folder, removed however the work in it ends: a catalog that is made there may be as large as the store's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs `work` with an empty folder, in the one that was given or the system's, that is removed afterwards. */
export async function withScratch<T>(given: string | undefined, work: (scratch: string) => Promise<T>): Promise<T> {
  let scratch: string | undefined;
  const remove = (): void => {
    for (const name of signals) process.off(name, end);
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
  };
  const end = (signal: NodeJS.Signals): void => {
    try {
      remove();
    } finally {
      // Now it does what it does by itself.
      process.kill(process.pid, signal);
    }
  };
  for (const name of signals) process.on(name, end);
  try {
    scratch = mkdtempSync(join(given ?? tmpdir(), 'mstore-'));
    return await work(scratch);
  } finally {
    remove();
  }
}
