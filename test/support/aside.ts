/**
 * Work in child processes. The test runner follows every promise of its own process, which takes work that is made of promises
 * half as long again; and two processes use two processors.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Counts by name. */
export type Counts = Readonly<Record<string, number>>;

/**
 * Runs a compiled module once for each list of arguments, `atOnce` at a time, and adds up the counts that they send.
 * @throws what a run printed, when its exit code is not 0
 */
export async function aside(
  module: URL,
  runs: readonly (readonly string[])[],
  atOnce: number,
): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  const waiting = [...runs];
  const work = async (): Promise<void> => {
    for (let args = waiting.shift(); args !== undefined; args = waiting.shift()) {
      for (const [name, count] of Object.entries(await runOne(module, args))) sums[name] = (sums[name] ?? 0) + count;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return sums;
}

function runOne(module: URL, args: readonly string[]): Promise<Counts> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(module), args, { silent: true });
    let counts: Counts = {};
    let printed = '';
    child.stderr?.on('data', (octets: Buffer) => {
      printed = (printed + octets.toString()).slice(-20_000);
    });
    child.on('message', (message) => {
      counts = countsIn(message);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(counts);
      else reject(new Error(`exit code ${code}: ${printed}`));
    });
  });
}

function countsIn(message: unknown): Counts {
  if (typeof message !== 'object' || message === null) throw new Error('a run sends its counts');
  return Object.fromEntries(Object.entries(message).map(([name, count]) => [name, Number(count)]));
}
