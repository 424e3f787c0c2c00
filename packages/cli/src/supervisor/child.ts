/**
 * One run of a program as our child: its start with the sockets it inherits, its ready notice, questions and answers, its end. What
 * follows an end is the keeper's (keeper.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  type Answer,
  Asking,
  type Clock,
  type Crew,
  firstInheritedFd,
  type HeldSocket,
  isAnswer,
  isEndingNotice,
  isFailedNotice,
  isQuestion,
  isReadyNotice,
  isTelling,
  type Member,
  type Question,
  socketArgument,
  type Told,
} from '@mstore/net';
import { errorText } from '@mstore/store';
import type { Program } from './program.ts';

/** Sockets by the name of their listener. */
export type Sockets = ReadonlyMap<string, readonly HeldSocket[]>;

export interface Launch {
  readonly program: Program;
  /** `--data DIR` and what else every program gets. */
  readonly args: readonly string[];
  readonly sockets: Sockets;
  readonly clock: Clock;
  /** The processes of the same program. */
  readonly crew: Crew;
}

/** How a run ended. */
export interface Ending {
  /** Undefined where there was no process. */
  readonly pid: number | undefined;
  /** With which it exited, or was about to when it was killed. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly ranMs: number;
  /** Why it could not start, where it told. */
  readonly problem: string | undefined;
}

export class Child implements Member {
  /** True once it was ready, false when it ended before. */
  readonly ready: Promise<boolean>;
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #crew: Crew;
  readonly #asking: Asking = new Asking((question, failed) => this.#send(question, failed));
  #isReady = false;
  #hasEnded = false;
  #problem: string | undefined;
  #told: number | null = null;

  /** @throws Error where the system refuses at once */
  constructor(launch: Launch) {
    const { clock, crew } = launch;
    this.#crew = crew;
    const startedAt = clock.monotonic();
    this.#child = spawnChild(launch);
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        const ranMs = clock.monotonic() - startedAt;
        resolve({ pid: this.pid, code: code ?? this.#told, signal, ranMs, problem: this.#problem });
        this.#isReady = false;
        this.#hasEnded = true;
        this.#asking.fail(new Error('the process ended'));
        crew.leave(this);
      };
      this.#child.once('exit', (code, signal) => {
        // What it told last may still be on its way.
        if (this.#child.connected) this.#child.once('disconnect', () => end(code, signal));
        else end(code, signal);
      });
      this.#child.on('error', (error) => {
        this.#problem ??= errorText(error);
        if (this.#child.pid === undefined) end(null, null);
      });
    });
    this.ready = new Promise((resolve) => {
      this.#child.on('message', (message: unknown) => {
        if (isReadyNotice(message)) {
          this.#isReady = true;
          crew.join(this);
          resolve(true);
        } else if (isFailedNotice(message)) this.#problem = message.problem;
        else if (isEndingNotice(message)) this.#told = message.code;
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

  /** Asks, and waits for the answer for some time. @throws Error when none comes, or the child could not tell */
  ask(about: string, args: readonly string[] = []): Promise<unknown> {
    return this.#asking.ask(about, args);
  }

  tell(message: Told): void {
    this.#send(message, () => undefined);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  #send(message: Question | Answer | Told, failed: (error: Error) => void): void {
    if (!this.#child.connected) failed(new Error('the process listens no more'));
    else this.#child.send(message, (error) => (error === null ? undefined : failed(error)));
  }

  #take(message: unknown): void {
    // What was on its way when it ended must not outlast it.
    if (this.#hasEnded) return;
    if (isAnswer(message)) this.#asking.take(message);
    else if (isTelling(message)) this.#crew.pass(this, message);
    else if (isQuestion(message)) void this.#answer(message);
  }

  async #answer({ id, about, args }: Question): Promise<void> {
    const result = await this.#crew.answer(about, args).then(
      (value) => ({ value }),
      (error: unknown) => ({ problem: errorText(error) }),
    );
    this.#send({ type: 'answer', id, ...result }, () => undefined);
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
