/**
 * What a writer looks at by itself, about once a second, beside the work:
 *
 *   space    how much is free, and so what is taken (room.ts); the reserve is made while there is room (reserve.ts)
 *   device   after two failed writes or syncs in a row changes are refused; after a pause, which doubles, a probe is written: an
 *            empty batch in a new segment. When it is durable, changes are taken again
 *   catalog  a transaction that is under way for longer than `limits.catalogHangMs` ends the writer: nobody can say what became of
 *            it, and the next writer replays the log
 *
 * The catalog is looked at before anything is waited for, since a disk that hangs answers nothing. Time counts as it passes in
 * looks, a few seconds each at most, so that a machine that slept finds nothing hanging.
 */
import { isStoreError, StoreError } from '../errors.ts';
import type { Heap } from '../heap/heap.ts';
import { limits } from '../limits.ts';
import type { Clock } from '../sys/clock.ts';
import type { Committer } from './batch.ts';
import type { StoreHealth, StoreNotice } from './notices.ts';
import type { Reserve } from './reserve.ts';
import type { Room } from './room.ts';

export interface HealthPorts {
  readonly heap: Heap;
  readonly committer: Committer;
  readonly clock: Clock;
  readonly room: Room | undefined;
  readonly reserve: Reserve;
  readonly tell: (notice: StoreNotice) => void;
}

export class Health {
  readonly #ports: HealthPorts;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #takesChanges = true;
  #deviceErrors = 0;
  #probeAt = 0;
  #probePauseMs = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #catalogWrite = 0;
  #catalogMs = 0;
  #hadReserve = false;
  #isStopped = false;

  constructor(ports: HealthPorts) {
    this.#ports = ports;
    const { reserve, room } = ports;
    if (room !== undefined) {
      room.reserve = { reserveBytes: () => reserve.bytes, release: () => this.#release() };
    }
  }

  /** Looks every `ms` from now on; errors of what is looked at are part of what is told. */
  start(ms: number): void {
    const again = (): void => {
      this.look().catch(() => undefined);
      if (this.#isStopped) return;
      this.#timer = setTimeout(again, ms).unref();
    };
    this.#timer = setTimeout(again, ms).unref();
  }

  /** No look begins any more, and none is under way on return. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
    await this.#ports.reserve.settle();
  }

  /** Looks once. */
  look(): Promise<void> {
    this.#lookAtCatalog();
    this.#looking ??= this.#lookAtRest().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  get state(): StoreHealth {
    const { room, reserve, heap } = this.#ports;
    return {
      space: room?.level ?? 'ok',
      freeBytes: room?.freeBytes,
      reserveBytes: reserve.bytes,
      deviceErrors: heap.device?.deviceErrors ?? 0,
      takesChanges: this.#deviceWorks,
      catalogMs: Math.round(this.#catalogMs),
    };
  }

  #lookAtCatalog(): void {
    const { committer, clock } = this.#ports;
    const now = clock.monotonic();
    const passedMs = Math.min(now - this.#lookedAt, limits.lookMsMax);
    this.#lookedAt = now;
    const isSame = committer.isWritingCatalog && committer.catalogWrites === this.#catalogWrite;
    this.#catalogWrite = committer.catalogWrites;
    this.#catalogMs = isSame ? this.#catalogMs + passedMs : 0;
    if (this.#catalogMs <= limits.catalogHangMs || committer.failure !== undefined) return;
    const seconds = Math.round(this.#catalogMs / 1_000);
    committer.fail(new StoreError('ioError', `a catalog transaction hangs: nothing came of it in ${seconds} s`));
  }

  async #lookAtRest(): Promise<void> {
    const { room } = this.#ports;
    await room?.refresh();
    if (room !== undefined) await this.#keepReserve(room);
    await this.#lookAtDevice();
  }

  async #keepReserve(room: Room): Promise<void> {
    const { reserve, committer } = this.#ports;
    const wanted = room.reserveWanted;
    // What is wanted of a disk that cannot be asked is unknown.
    if (room.freeBytes === undefined) return;
    if (reserve.bytes > wanted) this.#release();
    for (let slices = 0; slices < limits.reserveSlices && room.level === 'ok' && reserve.bytes < wanted; slices++) {
      // While there is work, one slice a look.
      if (this.#isStopped || (slices > 0 && !committer.isIdle)) return;
      try {
        await reserve.grow(wanted);
      } catch {
        // As long as it is: the next look tries again.
        return;
      }
    }
    if (wanted === 0 || reserve.bytes < wanted || this.#hadReserve) return;
    this.#hadReserve = true;
    this.#ports.tell({ kind: 'reserve', state: 'whole', bytes: reserve.bytes });
  }

  #release(): void {
    const { reserve, tell } = this.#ports;
    const { bytes } = reserve;
    if (!reserve.release()) return;
    this.#hadReserve = false;
    tell({ kind: 'reserve', state: 'released', bytes });
  }

  get #deviceWorks(): boolean {
    return this.#ports.heap.device?.takesWrites === true;
  }

  #tellErrors(): void {
    const { deviceErrors = 0, lastDeviceError: why = '' } = this.#ports.heap.device ?? {};
    const count = deviceErrors - this.#deviceErrors;
    if (count > 0) this.#ports.tell({ kind: 'deviceErrors', count, why });
    this.#deviceErrors = deviceErrors;
  }

  async #lookAtDevice(): Promise<void> {
    const { heap, clock, committer, tell } = this.#ports;
    this.#tellErrors();
    if (committer.failure !== undefined) return;
    const now = clock.monotonic();
    if (this.#takesChanges && !this.#deviceWorks) {
      this.#takesChanges = false;
      this.#probePauseMs = limits.probeMs;
      this.#probeAt = now + this.#probePauseMs;
      tell({ kind: 'device', takesChanges: false, why: heap.device?.lastDeviceError ?? '' });
    }
    if (this.#takesChanges || now < this.#probeAt) return;
    try {
      if (!this.#deviceWorks) await committer.commitEmpty('probe');
    } catch (error) {
      this.#probePauseMs = Math.min(this.#probePauseMs * 2, limits.probeMsMax);
      this.#probeAt = clock.monotonic() + this.#probePauseMs;
      // A probe that failed is told as the error it is; one that found no room is not.
      if (isStoreError(error, 'diskFull')) tell({ kind: 'device', takesChanges: false, why: error.message });
      this.#tellErrors();
      return;
    }
    this.#takesChanges = true;
    tell({ kind: 'device', takesChanges: true, why: 'a probe was written and synced' });
  }
}
