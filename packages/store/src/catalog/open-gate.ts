/**
 * The gate of an LMDB environment: nobody opens it while its writer commits.
 *
 * Why: `mdb_env_open` of the pinned version reads the number of the last transaction from the file and a moment later sets the
 * number that all processes share to it, without a lock, whoever opens and be it for reading. A commit in between is undone by that:
 * the next transaction begins from the state before it (docs/decisions/0029-opening-waits-for-commits.md).
 *
 * Two files in the environment's directory, each locked with flock(2), so that a lock goes with its process however that ends:
 *
 *  - `turn` is held by one who is opening, from before they wait for `gate` until they are done; and by the writer, for the moment
 *    that it takes to take `gate`. So an open waits for one commit at most, and the writer for those who wait to open.
 *  - `gate` is held by the writer for a commit and by others while they open.
 *
 * Invariant: both are taken in that order, and `gate` by nobody without `turn`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../errors.ts';
import { limits } from '../limits.ts';
import { MomentaryLock } from '../sys/file-lock.ts';

export class OpenGate {
  readonly #turn: MomentaryLock;
  readonly #gate: MomentaryLock;

  private constructor(turn: MomentaryLock, gate: MomentaryLock) {
    this.#turn = turn;
    this.#gate = gate;
  }

  /** That of the environment in directory `path`; undefined for who may not write there: they cannot set LMDB's number either. */
  static at(path: string): OpenGate | undefined {
    let turn: MomentaryLock | undefined;
    try {
      turn = new MomentaryLock(`${path}/turn`);
      return new OpenGate(turn, new MomentaryLock(`${path}/gate`));
    } catch (error) {
      turn?.close();
      const errno = errnoOf(error);
      if (errno === 'EACCES' || errno === 'EROFS' || errno === 'EPERM') return undefined;
      throw error;
    }
  }

  /** For a commit: resolves when nobody opens and nobody will until `leave`; undefined when that is so at once. */
  enter(): Promise<void> | undefined {
    return this.#tryEnter() ? undefined : until(() => this.#tryEnter());
  }

  #tryEnter(): boolean {
    if (!this.#turn.tryLock()) return false;
    try {
      return this.#gate.tryLock();
    } finally {
      this.#turn.unlock();
    }
  }

  leave(): void {
    this.#gate.unlock();
  }

  /** Opens when no commit is under way. */
  async pass<T>(open: () => T): Promise<T> {
    await until(() => this.#turn.tryLock());
    try {
      await until(() => this.#gate.tryLock());
      try {
        return open();
      } finally {
        this.#gate.unlock();
      }
    } finally {
      this.#turn.unlock();
    }
  }

  close(): void {
    this.#turn.close();
    this.#gate.close();
  }
}

async function until(isTaken: () => boolean): Promise<void> {
  while (!isTaken()) await sleep(limits.gateLookMs);
}
