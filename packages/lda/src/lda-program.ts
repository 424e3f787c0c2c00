/**
 * mstore-lda as a program: through the daemon when one listens, else alone. Owns its time-out; not its signals and
 * streams, which are main.ts's.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { keep, type LdaAnswer } from './exit-codes.ts';
import { deliverThrough } from './lda-client.ts';
import { parseLdaOptions } from './lda-options.ts';
import { limits } from './limits.ts';

export interface LdaProgram {
  readonly args: readonly string[];
  /** MSTORE_DATA. */
  readonly data: string | undefined;
  readonly octets: AsyncIterable<Buffer>;
  /** ms in which something must move. */
  readonly patienceMs?: number;
}

/** Delivers; always answers. */
export async function runLda({
  args,
  data,
  octets,
  patienceMs = limits.ldaPatienceMs,
}: LdaProgram): Promise<LdaAnswer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<LdaAnswer>((resolve) => {
    timer = setTimeout(() => resolve(keep('nothing moved for too long')), patienceMs);
  });
  async function* watched(): AsyncGenerator<Buffer> {
    for await (const some of octets) {
      timer?.refresh();
      yield some;
    }
    // A mail server that stops us closes our input too; its signal may reach Node later than the end, which then is none.
    await delay(limits.signalGraceMs);
    timer?.refresh();
  }
  try {
    return await Promise.race([late, attempt(args, data, watched())]);
  } catch (error) {
    return keep(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

async function attempt(
  args: readonly string[],
  data: string | undefined,
  octets: AsyncIterable<Buffer>,
): Promise<LdaAnswer> {
  const options = parseLdaOptions(args);
  const directory = options.data ?? data ?? '';
  if (directory === '') return keep('which store? Give --data DIR, or set MSTORE_DATA');
  const answer = await deliverThrough(`${directory}/run/lda.sock`, args, octets);
  if (answer !== undefined) return answer;
  // Only this way needs store and directory: with a daemon they are not even loaded.
  const { deliverAlone } = await import('./lda-alone.ts');
  return deliverAlone(directory, args, octets);
}
