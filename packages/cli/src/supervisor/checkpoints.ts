/**
 * Checkpoints that a service makes by itself: every now and then a process of its own looks whether one is due, and makes it, so
 * that neither mail nor sessions feel it. One that fails is told in the log, and tried again at the next look.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Log } from '@mstore/net';
import { limits } from './limits.ts';

const program = fileURLToPath(new URL('../main.js', import.meta.url));

export interface CheckpointsOptions {
  readonly directory: string;
  readonly log: Log;
  /** ms between two looks. */
  readonly lookMs?: number;
}

export class Checkpoints {
  readonly #options: CheckpointsOptions;
  readonly #timer: NodeJS.Timeout;
  #child: ChildProcess | undefined;
  #waiting: (() => void)[] = [];
  #isStopped = false;

  constructor(options: CheckpointsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), options.lookMs ?? limits.checkpointLookMs);
  }

  /** Ends a process that is at work: the file it was writing has no name yet. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#child?.kill();
  }

  /** Resolves after the next look, or at once when there will be none. @internal */
  looked(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isStopped && this.#child === undefined) resolve();
      else this.#waiting.push(resolve);
    });
  }

  #end(): void {
    this.#child = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #fail(error: unknown): void {
    this.#options.log.warn('no checkpoint', {}, error);
    this.#end();
  }

  #look(): void {
    if (this.#child !== undefined) return;
    try {
      this.#start();
    } catch (error) {
      // Where there is no memory for a process, this one goes on.
      this.#fail(error);
    }
  }

  #start(): void {
    const { directory, log } = this.#options;
    const { NOTIFY_SOCKET: _, ...env } = process.env;
    const args = [program, 'checkpoint', '--if-due', '--json', '--data', directory];
    const child: ChildProcess = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#child = child;
    child.on('error', (error) => this.#fail(error));
    yieldTo(child.pid);
    let said = '';
    let problem = '';
    // There are no pipes where no descriptor was left for them.
    child.stdout?.on('data', (octets: Buffer) => {
      said += octets.toString();
    });
    child.stderr?.on('data', (octets: Buffer) => {
      problem += octets.toString();
    });
    child.on('close', (code) => {
      if (code === 0 && said.includes('"made":true')) log.info('checkpoint made', { checkpoint: said.trim() });
      else if (code !== 0 && code !== null) log.warn('no checkpoint', { why: problem.trim() });
      this.#end();
    });
  }
}

/** Mail goes first where processors are short. */
function yieldTo(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, 10);
  } catch {
    // It has ended already, or this system does not allow it: it works all the same.
  }
}
