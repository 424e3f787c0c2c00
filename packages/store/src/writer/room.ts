/**
 * Room on the disk. What is left decides what is taken, in two steps, and comes back by itself when there is room again:
 *
 *   ok         everything is taken
 *   noNewMail  new mail is refused; reading, flags, expunges, moves go on
 *   readOnly   every change is refused but those that give space back
 *
 * Free octets are counted without what the reserve (reserve.ts) is short of: once it has been given away, the next octets that come free
 * are its own, not new mail's. A level is left when an eighth more is free than its mark, so that it does not come and go.
 *
 * The disk is asked a few times a second at most, and beside the work: at the speed of fast disks some 20 MB may be written
 * meanwhile, which the marks have to spare.
 */
import { StoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Clock } from '../sys/clock.ts';

/** Octets of a file system: in all, and free to us. */
export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

export type SpaceLevel = 'ok' | 'noNewMail' | 'readOnly';

/** Octets. On a small disk less: an eighth, a thirty-second and a sixteenth of it. */
export interface SpaceMarks {
  /** Free ones below which new mail is refused. */
  readonly newMailBytes: number;
  /** Free ones below which every change is refused. */
  readonly changesBytes: number;
  /** Of the reserve file; 0 for none. */
  readonly reserveBytes: number;
}

const noReserve = { reserveBytes: () => 0, release: () => undefined };

export class Room {
  readonly #ask: () => Promise<DiskSpace>;
  readonly #clock: Clock;
  readonly #marks: SpaceMarks;
  readonly #changed: (level: SpaceLevel, freeBytes: number) => void;
  #level: SpaceLevel = 'ok';
  #space: DiskSpace | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  /** The reserve: what it holds, and how it is given away. */
  reserve: { reserveBytes(): number; release(): void } = noReserve;

  constructor(
    ask: () => Promise<DiskSpace>,
    clock: Clock,
    marks: Partial<SpaceMarks> = {},
    changed: (level: SpaceLevel, freeBytes: number) => void = () => undefined,
  ) {
    this.#ask = ask;
    this.#clock = clock;
    const { newMailFreeBytes: newMailBytes, changesFreeBytes: changesBytes } = limits;
    this.#marks = { newMailBytes, changesBytes, reserveBytes: 0, ...marks };
    this.#changed = changed;
  }

  get level(): SpaceLevel {
    return this.#level;
  }

  /** Free octets less what the reserve is short of; undefined before the disk was asked. */
  get freeBytes(): number | undefined {
    return this.#space === undefined ? undefined : this.#free(this.#space);
  }

  /** Octets that the reserve shall have on this disk; 0 while that is unknown. */
  get reserveWanted(): number {
    return this.#space === undefined ? 0 : Math.min(this.#marks.reserveBytes, Math.floor(this.#space.totalBytes / 16));
  }

  /** For new mail. Undefined when what is known is new enough; else await the result. @throws {StoreError} diskFull, either way */
  check(): Promise<void> | undefined {
    const age = this.#clock.monotonic() - this.#askedAt;
    if (age > limits.roomFreshMs) this.#asking ??= this.#refresh();
    if (age > limits.roomStaleMs && this.#asking !== undefined) return this.#asking.then(() => this.#refuseMail());
    this.#refuseMail();
    return undefined;
  }

  /**
   * For a change, as it is asked for. One that gives space back has the reserve for it, and is refused on the last octets only.
   * @throws {StoreError} diskFull
   */
  admit(givesSpace: boolean): void {
    if (this.#level !== 'readOnly') return;
    if (!givesSpace) throw full('the disk has no room for any change but those that give space back');
    this.reserve.release();
    const left = (this.#space?.freeBytes ?? 0) + this.reserve.reserveBytes();
    if (left < Math.min(limits.lastFreeBytes, (this.#space?.totalBytes ?? 0) / 128)) {
      throw full('the disk has no room left even to give space back');
    }
  }

  /** Asks the disk now, unless that is under way. */
  refresh(): Promise<void> {
    this.#asking ??= this.#refresh();
    return this.#asking;
  }

  #refuseMail(): void {
    if (this.#level !== 'ok') throw full('the disk has no room for new mail');
  }

  async #refresh(): Promise<void> {
    try {
      this.#space = await this.#ask();
    } catch {
      // Who cannot tell lets them try.
      this.#space = undefined;
    }
    this.#askedAt = this.#clock.monotonic();
    this.#asking = undefined;
    const level = this.#space === undefined ? 'ok' : this.#levelAt(this.#space);
    if (level === this.#level) return;
    this.#level = level;
    this.#changed(level, this.freeBytes ?? 0);
  }

  #free({ freeBytes }: DiskSpace): number {
    return freeBytes - Math.max(0, this.reserveWanted - this.reserve.reserveBytes());
  }

  #levelAt(space: DiskSpace): SpaceLevel {
    const free = this.#free(space);
    const isBelow = (mark: number, isIn: boolean): boolean => free < (isIn ? mark + mark / 8 : mark);
    const changes = Math.min(this.#marks.changesBytes, space.totalBytes / 32);
    if (isBelow(changes, this.#level === 'readOnly')) return 'readOnly';
    const newMail = Math.max(changes, Math.min(this.#marks.newMailBytes, space.totalBytes / 8));
    return isBelow(newMail, this.#level !== 'ok') ? 'noNewMail' : 'ok';
  }
}

function full(text: string): StoreError {
  return new StoreError('diskFull', text);
}
