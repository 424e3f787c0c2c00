/**
 * One run of a program as our child: its start with the sockets it inherits, its ready notice, questions and answers, its end. What
 * follows an end is the keeper's (keeper.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  type Clock,
  firstInheritedFd,
  type HeldSocket,
  isAnswer,
  isFailedNotice,
  isReadyNotice,
  type Question,
  socketArgument,
} from '@mstore/net';
import { errorText } from '@mstore/store';
import { limits } from './limits.ts';
import type { Program } from './program.ts';

/** Sockets by the name of their listener. */
export type Sockets = ReadonlyMap<string, readonly HeldSocket[]>;

export interface Launch {
  readonly program: Program;
  /** `--data DIR` and what else every program gets. */
  readonly args: readonly string[];
  readonly sockets: Sockets;
  readonly clock: Clock;
}

/** How a run ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly ranMs: number;
  /** Why it could not start, where it told. */
  readonly problem: string | undefined;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Child {
  /** True once it was ready, false when it ended before. */
  readonly ready: Promise<boolean>;
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #isReady = false;
  #problem: string | undefined;

  constructor(launch: Launch) {
    const { clock } = launch;
    const startedAt = clock.monotonic();
    this.#child = spawnChild(launch);
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        resolve({ code, signal, ranMs: clock.monotonic() - startedAt, problem: this.#problem });
        this.#isReady = false;
        for (const waiting of this.#waiting.values()) waiting.reject(new Error('the process ended'));
      };
      this.#child.once('exit', end);
      this.#child.on('error', (error) => {
        this.#problem ??= errorText(error);
        if (this.#child.pid === undefined) end(null, null);
      });
    });
    this.ready = new Promise((resolve) => {
      this.#child.on('message', (message: unknown) => {
        if (isReadyNotice(message)) {
          this.#isReady = true;
          resolve(true);
        } else if (isFailedNotice(message)) this.#problem = message.problem;
        else this.#take(message);
      });
      void this.ended.then(() => resolve(false));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Asks, and waits for the answer, `limits.answerMs` at most. @throws Error when none comes, or the child could not tell */
  async ask(about: string, args: readonly string[] = []): Promise<unknown> {
    const id = this.#nextId++;
    const question: Question = { type: 'ask', id, about, args };
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        timer = setTimeout(() => reject(new Error(`no answer in ${limits.answerMs} ms`)), limits.answerMs);
        if (!this.#child.connected) reject(new Error('the process listens no more'));
        else this.#child.send(question, (error) => (error === null ? undefined : reject(error)));
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  #take(message: unknown): void {
    if (!isAnswer(message)) return;
    const waiting = this.#waiting.get(message.id);
    if (message.problem === undefined) waiting?.resolve(message.value);
    else waiting?.reject(new Error(message.problem));
  }
}

function spawnChild({ program, args, sockets }: Launch): ChildProcess {
  const held = program.sockets.flatMap((name) =>
    (sockets.get(name) ?? []).map(({ address, handle }) => ({ name, address, handle })),
  );
  const inherited = held.map(({ name, address }, at) => socketArgument({ name, fd: firstInheritedFd + at, address }));
  const stdio = ['ignore', 'ignore', 'inherit', 'ipc', ...held.map(({ handle }) => handle)];
  // Only the supervisor speaks for the unit.
  const { NOTIFY_SOCKET: _, ...env } = process.env;
  // Node passes any handle of its own on; its types know only streams.
  return Reflect.apply(spawn, undefined, [process.execPath, [program.file, ...args, ...inherited], { stdio, env }]);
}
