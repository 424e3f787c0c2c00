/** System calls of a running process that fail or hang, as strace makes them: for real descriptors, under the real kernel. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireProgram } from './interop.ts';

const attachMs = 20_000;
const detachMs = 10_000;

/** Which calls are hit, on which files, and how. */
export interface Injection {
  readonly pid: number;
  readonly calls: readonly string[];
  /** Files by their paths; they need not be there yet. */
  readonly paths: readonly string[];
  /** What becomes of them: an error, or so many ms until they are made. */
  readonly effect: 'EIO' | 'ENOSPC' | number;
  /** From which such call of a thread on; all of them are hit. */
  readonly from?: number;
  /** Where what happened is written. */
  readonly log: string;
}

/** The program, or undefined after marking the test as skipped where it is missing or may not trace. */
export function requireStrace(t: Pick<TestContext, 'skip'>): string | undefined {
  const strace = requireProgram(t, 'strace');
  if (strace === undefined) return undefined;
  try {
    execFileSync(strace, ['-o', '/dev/null', '-e', 'inject=fdatasync:error=EIO', 'true'], { stdio: 'ignore' });
    return strace;
  } catch {
    if (process.env.MSTORE_REQUIRE_INTEROP === '1')
      throw new Error('strace may not trace here, and this run requires it');
    t.skip('strace may not trace here');
    return undefined;
  }
}

export class Tracing implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcess, log: string) {
    this.#child = child;
    this.#log = log;
    this.#ended = once(child, 'exit');
  }

  /** Resolves when the calls are hit. */
  static async begin(strace: string, { pid, calls, paths, effect, from = 1, log }: Injection): Promise<Tracing> {
    const names = calls.map((call) => `?${call}`).join(',');
    const filters = paths.flatMap((path) => ['-P', path]);
    const how = typeof effect === 'number' ? `delay_enter=${effect * 1_000}` : `error=${effect}`;
    const injecting = ['-e', `trace=${names}`, '-e', `inject=${names}:${how}:when=${from}+`];
    const child = spawn(strace, ['-f', '-p', `${pid}`, '-o', log, ...filters, ...injecting], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (octets: Buffer) => {
      said += octets.toString();
    });
    const tracing = new Tracing(child, log);
    const deadline = performance.now() + attachMs;
    while (!/ attached/.test(said)) {
      assert.ok(child.exitCode === null && performance.now() < deadline, `strace does not attach: ${said}`);
      await sleep(10);
    }
    return tracing;
  }

  /** Calls that were hit so far. */
  get injected(): number {
    try {
      return readFileSync(this.#log, 'latin1').split(/\(INJECTED\)|<unfinished/).length - 1;
    } catch {
      return 0;
    }
  }

  /** Lets the process go; from then on its calls do what they should. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGINT');
    // Told so while the process ends, strace may wait for a thread that waits for strace.
    const hung = setTimeout(() => this.#child.kill('SIGKILL'), detachMs);
    await this.#ended;
    clearTimeout(hung);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
