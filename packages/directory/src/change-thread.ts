/** The near end of sqlite-worker.ts: asks it for changes and matches its answers. */
import { Worker } from 'node:worker_threads';
import { DirectoryError, type DirectoryErrorCode, errorText } from './errors.ts';
import { limits } from './limits.ts';
import type { SqliteChanges } from './sqlite-changes.ts';
import type { ChangeName, ChangeRequest, WorkerSettings } from './sqlite-worker.ts';

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

interface ChangeAnswer {
  readonly id: number;
  readonly value: never;
  readonly refusal?: { readonly code: DirectoryErrorCode; readonly message: string };
}

export class ChangeThread {
  readonly #settings: WorkerSettings;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #nextId = 1;
  #closed = false;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  /** Has the thread do it. @throws {DirectoryError} what the change throws, unavailable, closed, limitExceeded */
  ask<Name extends ChangeName>(
    name: Name,
    ...args: Parameters<SqliteChanges[Name]>
  ): Promise<ReturnType<SqliteChanges[Name]>> {
    if (this.#closed) return Promise.reject(new DirectoryError('closed', 'the directory was closed'));
    if (this.#waiting.size >= limits.changesInFlight) {
      return Promise.reject(new DirectoryError('limitExceeded', 'too many changes at once'));
    }
    return this.#send<ReturnType<SqliteChanges[Name]>>({ name, args });
  }

  /** Lets what was asked for be done, then ends the thread. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#worker === undefined) return;
    await this.#send<void>({ args: [] }).catch(() => undefined);
    await this.#worker?.terminate();
  }

  #send<Value>(request: Omit<ChangeRequest, 'id'>): Promise<Value> {
    let worker: Worker;
    try {
      worker = this.#worker ??= this.#start();
    } catch (error) {
      const why = `the directory's thread could not be started: ${errorText(error)}`;
      return Promise.reject(new DirectoryError('unavailable', why, error));
    }
    return new Promise<Value>((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ ...request, id });
    });
  }

  /** @throws {Error} the system refuses: threads or memory are used up */
  #start(): Worker {
    const worker = new Worker(new URL('./sqlite-worker.js', import.meta.url), {
      workerData: this.#settings,
      // Options for the process's own program would not fit the thread's.
      execArgv: [],
    });
    worker.on('message', ({ id, value, refusal }: ChangeAnswer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) worker.unref();
      if (refusal === undefined) waiting?.resolve(value);
      else waiting?.reject(new DirectoryError(refusal.code, refusal.message));
    });
    const lose = (cause: unknown): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const error = new DirectoryError('unavailable', "the directory's thread ended", cause);
      for (const waiting of this.#waiting.values()) waiting.reject(error);
      this.#waiting.clear();
    };
    worker.on('error', lose);
    worker.on('exit', () => lose(undefined));
    return worker;
  }
}
