/**
 * Deadlines for thousands of connections on one timer: a wheel of slots, one slot a tick. A deadline that is moved later,
 * which happens with every command, only changes a number; the slot it lies in finds that out when its turn comes and
 * puts it further on. So activity costs nothing, and an idle connection one look every few minutes.
 *
 * Invariants: a deadline that is set lies in exactly one slot, whose turn is not after its time rounded up to a tick, or
 * one turn of the wheel ahead when the time is further; the timer runs while any deadline lies in the wheel, and does not keep the
 * process alive.
 */
import { invariant } from './errors.ts';
import { limits } from './limits.ts';
import { type Clock, systemClock } from './sys/clock.ts';

/** One moving point in time; made by `DeadlineWheel.add`. */
export class Deadline {
  readonly #wheel: DeadlineWheel;
  readonly expire: () => void;
  /** Milliseconds on the wheel's clock; Infinity when not set. */
  due: number = Number.POSITIVE_INFINITY;
  /** The tick whose slot holds this deadline; -1 when none does. */
  tick = -1;

  constructor(wheel: DeadlineWheel, expire: () => void) {
    this.#wheel = wheel;
    this.expire = expire;
  }

  /** Sets the time, in milliseconds of the wheel's clock; it may be moved any number of times. */
  set(due: number): void {
    this.due = due;
    if (due !== Number.POSITIVE_INFINITY) this.#wheel.place(this);
  }

  clear(): void {
    this.due = Number.POSITIVE_INFINITY;
  }

  /** Takes the deadline out of the wheel; needed when its owner ends, so that the wheel does not hold it. */
  remove(): void {
    this.clear();
    this.#wheel.unplace(this);
  }
}

/** The timer that all connections of a process share. */
export class DeadlineWheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #slots: Set<Deadline>[];
  #timer: NodeJS.Timeout | undefined;
  #lastTick: number;
  #placed = 0;

  constructor(clock: Clock = systemClock, tickMs: number = limits.deadlineTickMs) {
    invariant(tickMs > 0, 'a tick takes time');
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#slots = Array.from({ length: limits.deadlineSlots }, () => new Set());
    this.#lastTick = this.#currentTick();
  }

  /** Milliseconds on the clock that deadlines are set by. */
  now(): number {
    return this.#clock.monotonic();
  }

  /** A deadline, not set; `expire` is called once for each time that is reached, and must not throw. */
  add(expire: () => void): Deadline {
    return new Deadline(this, expire);
  }

  /** Sees to every slot whose turn has come; the timer calls it. */
  turn(): void {
    const current = this.#currentTick();
    // After a long standstill every slot is seen once, not more.
    const first = Math.max(this.#lastTick + 1, current - this.#slots.length + 1);
    this.#lastTick = current;
    const now = this.now();
    for (let tick = first; tick <= current; tick += 1) this.#serve(this.#slot(tick), now);
  }

  /** @internal puts a deadline into its slot, unless it lies in an earlier one, which will move it on. */
  place(deadline: Deadline): void {
    // The wheel stood still while it was empty.
    if (this.#placed === 0) this.#lastTick = this.#currentTick();
    const wanted = Math.ceil(deadline.due / this.#tickMs);
    const tick = Math.min(Math.max(wanted, this.#lastTick + 1), this.#lastTick + this.#slots.length);
    if (deadline.tick > this.#lastTick && deadline.tick <= tick) return;
    this.unplace(deadline);
    deadline.tick = tick;
    this.#slot(tick).add(deadline);
    this.#placed += 1;
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => this.turn(), this.#tickMs);
      this.#timer.unref();
    }
  }

  /** @internal takes a deadline out of its slot. */
  unplace(deadline: Deadline): void {
    if (deadline.tick < 0) return;
    if (this.#slot(deadline.tick).delete(deadline)) this.#placed -= 1;
    deadline.tick = -1;
    if (this.#placed > 0 || this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #serve(slot: Set<Deadline>, now: number): void {
    if (slot.size === 0) return;
    for (const deadline of [...slot]) {
      this.unplace(deadline);
      if (deadline.due <= now) {
        deadline.clear();
        deadline.expire();
      } else if (deadline.due !== Number.POSITIVE_INFINITY) this.place(deadline);
    }
  }

  #slot(tick: number): Set<Deadline> {
    const slot = this.#slots[tick % this.#slots.length];
    invariant(slot !== undefined, 'the wheel has a slot for every tick');
    return slot;
  }

  #currentTick(): number {
    return Math.floor(this.now() / this.#tickMs);
  }
}
