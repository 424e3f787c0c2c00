/**
 * A daemon may run as several processes that share their listening sockets. What has to hold for all of them together crosses the IPC
 * channels through their supervisor: a process tells the others something (`tell`, heard by all but itself, in order, and
 * never answered), or asks the supervisor (`ask`). Without a supervisor there is nobody to tell, and nothing can be asked.
 *
 * Two things are heard that no process told: `joined`, when another one became ready, which knows nothing yet, and `gone`, when one
 * ended, of which nothing is true any more.
 */
import type { Answer, Question, Telling, Told } from './inherited.ts';
import { isAnswer, isTold } from './inherited.ts';
import { limits } from './limits.ts';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Questions to the other end of an IPC channel, and the answers that come. */
export class Asking {
  readonly #send: (question: Question, failed: (error: Error) => void) => void;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  /** @param send hands a question over; `failed` is for one that cannot be */
  constructor(send: (question: Question, failed: (error: Error) => void) => void) {
    this.#send = send;
  }

  /** Waits for the answer, `limits.answerMs` at most. @throws Error when none comes, or the other end could not tell */
  async ask(about: string, args: readonly string[] = []): Promise<unknown> {
    const id = this.#nextId++;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        timer = setTimeout(() => reject(new Error(`no answer in ${limits.answerMs} ms`)), limits.answerMs);
        this.#send({ type: 'ask', id, about, args }, reject);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** Takes the answer to a question that may still wait. */
  take({ id, value, problem }: Answer): void {
    const waiting = this.#waiting.get(id);
    if (problem === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(problem));
  }

  /** No answer comes any more. */
  fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
  }
}

/** Takes what another process told; `from` is its pid. */
export type Hearing = (args: readonly string[], from: number) => void;

/** Hands a message to the supervisor; `failed` is for one that cannot be. */
export type SendUp = (message: Question | Telling, failed: (error: Error) => void) => void;

export class Siblings {
  readonly #send: SendUp | undefined;
  readonly #asking: Asking;
  readonly #hearings = new Map<string, Hearing[]>();

  /** @param send absent where there is no supervisor */
  constructor(send?: SendUp) {
    this.#send = send;
    this.#asking = new Asking((question, failed) => {
      if (send === undefined) failed(new Error('there is no supervisor'));
      else send(question, failed);
    });
  }

  /** Those of this process, whose supervisor is at the other end of its IPC channel. */
  static ofProcess(): Siblings {
    if (process.send === undefined) return new Siblings();
    const siblings = new Siblings((message, failed) => {
      process.send?.(message, (error: Error | null) => (error === null ? undefined : failed(error)));
    });
    process.on('message', (message: unknown) => siblings.take(message));
    return siblings;
  }

  /** True where a supervisor can be asked. */
  get areSupervised(): boolean {
    return this.#send !== undefined;
  }

  /** Tells all others; who cannot be told is gone, or ends with its supervisor. */
  tell(about: string, args: readonly string[]): void {
    this.#send?.({ type: 'tell', about, args }, () => undefined);
  }

  /** From now on `hearing` is given what others tell about this. */
  hear(about: string, hearing: Hearing): void {
    this.#hearings.set(about, [...(this.#hearings.get(about) ?? []), hearing]);
  }

  /** Asks the supervisor. @throws Error when no answer comes */
  ask(about: string, args: readonly string[]): Promise<unknown> {
    return this.#asking.ask(about, args);
  }

  /** Takes what came over the channel. */
  take(message: unknown): void {
    if (isAnswer(message)) this.#asking.take(message);
    else if (isTold(message)) this.#hear(message);
  }

  #hear({ about, args, from }: Told): void {
    for (const hearing of this.#hearings.get(about) ?? []) hearing(args, from);
  }
}
