/**
 * Keeps a program running: starts it, starts it again when it ends, with growing pauses (back-off.ts), kills it when it does not
 * become ready in time, and stops it.
 *
 * A program that refuses to run when it is first started (exit codes 69 and 78), or ends five times without having run,
 * is not tried again: its reason is the administrator's to remove. Later the same may be a passing trouble, and it is.
 */
import type { Clock, Log } from '@mstore/net';
import { errorText } from '@mstore/store';
import { CommandError, exit } from '../errors.ts';
import { BackOff } from './back-off.ts';
import { Child, type Ending, type Launch } from './child.ts';
import { limits } from './limits.ts';
import type { Program } from './program.ts';

/** Codes with which a program refuses to run. */
const refusals: readonly (number | null)[] = [exit.unavailable, exit.configuration];

export interface KeeperOptions extends Launch {
  /** Of the process: its program's, numbered where that has several. */
  readonly name: string;
  readonly log: Log;
  /** Told when a child became ready, or has ended. */
  readonly changed: () => void;
}

export class Keeper {
  readonly name: string;
  readonly program: Program;
  readonly #options: KeeperOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #backOff = new BackOff();
  /** Why it does not run, while it does not. */
  #down: string | undefined;
  /** What the next start is told because of how an earlier run ended. */
  #argsAfter: readonly string[] = [];
  #child: Child | undefined;
  #kept: Promise<void> = Promise.resolve();
  #pid: number | undefined;
  #restarts = 0;
  #reloadWhenReady = false;
  #stopping = false;
  #wake: () => void = () => undefined;

  constructor(options: KeeperOptions) {
    this.name = options.name;
    this.program = options.program;
    this.#options = options;
    this.#clock = options.clock;
    this.#log = options.log.child({ child: options.name });
  }

  /** The last child that was ready; undefined before. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** The child, when it is ready for questions. */
  get child(): Child | undefined {
    return this.#child?.isReady === true ? this.#child : undefined;
  }

  /** How it ended, while none is ready after that; undefined when one is, and before the first. */
  get down(): string | undefined {
    return this.#down;
  }

  /** Starts after the first. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Resolves when it is ready for the first time, or was stopped before. @throws CommandError where it refuses to run */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#kept = this.#keep(resolve).then(resolve, reject);
    });
  }

  /** Has the child read its configuration again; one that just starts is told when it is ready. */
  reload(): void {
    if (this.child === undefined) this.#reloadWhenReady = true;
    else this.child.signal('SIGHUP');
  }

  /** Lets the child end, and kills it after `killMs`. Resolves when it has ended. */
  async stop(killMs: number): Promise<void> {
    this.#stopping = true;
    this.#wake();
    this.#child?.signal('SIGTERM');
    const timer = setTimeout(() => {
      this.#log.error('killed: it did not end in time', { pid: this.#child?.pid });
      this.kill();
    }, killMs);
    await this.#kept;
    clearTimeout(timer);
  }

  /** Kills the child, and starts no other once `stop` was called. */
  kill(): void {
    this.#child?.signal('SIGKILL');
  }

  async #keep(firstReady: () => void): Promise<void> {
    while (!this.#stopping) {
      const ending = await this.#run(firstReady);
      if (this.#stopping) return;
      if (this.#pid === undefined && this.#isHopeless(ending)) throw this.#refused(ending);
      const waitMs = this.#backOff.after(ending.ranMs);
      this.#tellEnding(ending, waitMs);
      this.#argsAfter = this.program.argsAfter?.get(ending.code ?? ending.signal ?? -1) ?? this.#argsAfter;
      this.#down = describe(ending);
      this.#options.changed();
      await this.#pause(waitMs);
      this.#restarts += 1;
    }
  }

  /** Once, from its start to its end. */
  async #run(firstReady: () => void): Promise<Ending> {
    let child: Child;
    try {
      child = new Child({ ...this.#options, args: [...this.#options.args, ...this.#argsAfter] });
    } catch (error) {
      // Of some failures Node tells at once, no memory among them, and they pass.
      return { pid: undefined, code: null, signal: null, ranMs: 0, problem: errorText(error) };
    }
    this.#child = child;
    const watch = this.#watchStart(child);
    if (await child.ready) {
      this.#becameReady(child);
      firstReady();
    }
    clearInterval(watch);
    const ending = await child.ended;
    this.#child = undefined;
    return ending;
  }

  #becameReady(child: Child): void {
    this.#pid = child.pid;
    if (this.#reloadWhenReady) child.signal('SIGHUP');
    this.#reloadWhenReady = false;
    this.#argsAfter = [];
    this.#down = undefined;
    this.#options.changed();
  }

  /** One that hangs is killed; one that may take its time is spoken of. */
  #watchStart(child: Child): NodeJS.Timeout {
    const { readyMs } = this.program;
    const startedAt = this.#clock.monotonic();
    return setInterval(() => {
      if (child.isReady) return;
      const ms = Math.round(this.#clock.monotonic() - startedAt);
      if (readyMs === undefined) this.#log.warn('still starting', { pid: child.pid, ms });
      else {
        this.#log.error('killed: it did not become ready in time', { pid: child.pid, ms });
        child.signal('SIGKILL');
      }
    }, readyMs ?? limits.startingNoticeMs);
  }

  #isHopeless({ code, signal }: Ending): boolean {
    return refusals.includes(code) || (signal === null && this.#restarts + 1 >= limits.firstStarts);
  }

  #refused({ code, problem }: Ending): CommandError {
    const why = problem ?? (code === null ? 'it could not be run' : `exit code ${code}`);
    const isTold = code !== null && refusals.includes(code);
    return new CommandError(isTold ? code : exit.unavailable, `${this.name} did not start: ${why}`);
  }

  #tellEnding({ pid, code, signal, ranMs, problem }: Ending, waitMs: number): void {
    const how = { pid, code: code ?? undefined, signal: signal ?? undefined, problem };
    this.#log.error('ended; starting it again', { ...how, ranMs: Math.round(ranMs), waitMs });
  }

  #pause(ms: number): Promise<void> {
    if (ms === 0 || this.#stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function describe({ code, signal, problem }: Ending): string {
  const how = code === null ? `ended by ${signal ?? 'the system'}` : `exit code ${code}`;
  return problem === undefined ? how : `${how}: ${problem}`;
}
