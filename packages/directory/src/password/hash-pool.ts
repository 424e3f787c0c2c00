/**
 * Threads of our own for hashing, and the queue before them. Node's thread pool is left alone: its four threads are also the
 * disk's, and a storm of logins must not hold up deliveries.
 *
 * A thread has one request at a time; the queue is first come, first served, bounded in length and in waiting time. Threads
 * start when needed, and do not keep the process alive while idle. One that dies fails its request and is replaced. Where the
 * system refuses to start one, the request waits for those at work, or fails where there are none.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { DirectoryError, errorText } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Clock } from '../sys/clock.ts';
import type { HashRequest } from './work.ts';

export interface HashPoolOptions {
  /** 1 … limits.hashThreads; one less than there are processors when absent, so that the event loop keeps one. */
  readonly threads?: number;
  /** Requests that may wait; limits.hashQueue when absent. */
  readonly queue?: number;
}

interface Job {
  readonly request: HashRequest;
  readonly giveUpAt: number;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

interface Answer {
  readonly value: never;
  readonly failure?: string;
}

class Thread {
  readonly worker = new Worker(new URL('./hash-worker.js', import.meta.url), { execArgv: [] });
  job: Job | undefined;
}

export class HashPool {
  readonly #clock: Clock;
  readonly #threadsMax: number;
  readonly #queueMax: number;
  readonly #threads = new Set<Thread>();
  readonly #idle: Thread[] = [];
  readonly #queue = new Set<Job>();
  #closed = false;

  constructor(clock: Clock, options: HashPoolOptions = {}) {
    this.#clock = clock;
    const threads = options.threads ?? availableParallelism() - 1;
    this.#threadsMax = Math.min(Math.max(threads, 1), limits.hashThreads);
    this.#queueMax = Math.min(options.queue ?? limits.hashQueue, limits.hashQueue);
  }

  /** Threads that may work at once. */
  get threads(): number {
    return this.#threadsMax;
  }

  /** Has a thread do it. The caller knows what kind of value the request gives. @throws {DirectoryError} unavailable, closed */
  run<Value>(request: HashRequest): Promise<Value> {
    if (this.#closed) return Promise.reject(new DirectoryError('closed', 'the directory was closed'));
    if (this.#queue.size >= this.#queueMax) {
      return Promise.reject(new DirectoryError('unavailable', `${this.#queue.size} passwords wait to be hashed`));
    }
    return new Promise<Value>((resolve, reject) => {
      this.#queue.add({ request, giveUpAt: this.#clock.monotonic() + limits.hashWaitMs, resolve, reject });
      this.#dispatch();
    });
  }

  /** Ends all threads; what was asked for is rejected with `closed`. */
  async close(): Promise<void> {
    this.#closed = true;
    const error = new DirectoryError('closed', 'the directory was closed');
    for (const job of this.#queue) job.reject(error);
    this.#queue.clear();
    await Promise.all([...this.#threads].map((thread) => thread.worker.terminate()));
  }

  #dispatch(): void {
    for (const job of this.#queue) {
      if (job.giveUpAt < this.#clock.monotonic()) {
        this.#queue.delete(job);
        job.reject(new DirectoryError('unavailable', 'a password waited too long to be hashed'));
        continue;
      }
      let thread: Thread | undefined;
      try {
        thread = this.#idle.pop() ?? this.#start();
      } catch (error) {
        if (this.#threads.size > 0) return;
        this.#queue.delete(job);
        job.reject(new DirectoryError('unavailable', `no hashing thread could be started: ${errorText(error)}`, error));
        continue;
      }
      if (thread === undefined) return;
      this.#queue.delete(job);
      thread.job = job;
      thread.worker.ref();
      thread.worker.postMessage(job.request);
    }
  }

  /** A new thread, or undefined when all are at work. @throws {Error} the system refuses: threads or memory are used up */
  #start(): Thread | undefined {
    if (this.#threads.size >= this.#threadsMax) return undefined;
    const thread = new Thread();
    this.#threads.add(thread);
    thread.worker.on('message', (answer: Answer) => this.#settle(thread, answer));
    thread.worker.on('error', (error) => this.#lose(thread, error));
    thread.worker.on('exit', () => this.#lose(thread, undefined));
    return thread;
  }

  #settle(thread: Thread, answer: Answer): void {
    const job = thread.job;
    thread.job = undefined;
    thread.worker.unref();
    this.#idle.push(thread);
    if (answer.failure === undefined) job?.resolve(answer.value);
    else job?.reject(new DirectoryError('unavailable', answer.failure));
    this.#dispatch();
  }

  #lose(thread: Thread, cause: unknown): void {
    if (!this.#threads.delete(thread)) return;
    const at = this.#idle.indexOf(thread);
    if (at !== -1) this.#idle.splice(at, 1);
    const closed = new DirectoryError('closed', 'the directory was closed');
    thread.job?.reject(this.#closed ? closed : new DirectoryError('unavailable', 'a hashing thread ended', cause));
    thread.job = undefined;
    if (!this.#closed) this.#dispatch();
  }
}
