/** How much a process has in hand of what it sorts, over all its sessions: who finds no room waits, in the order of coming. */

interface Waiting {
  readonly count: number;
  readonly enter: () => void;
}

export class Room {
  readonly #most: number;
  readonly #waiting: Waiting[] = [];
  #taken = 0;

  /** @param most how many there is room for; more than that only for one who is alone */
  constructor(most: number) {
    this.#most = most;
  }

  /** Runs `work` when there is room for so many. */
  async run<Result>(count: number, work: () => Promise<Result>): Promise<Result> {
    if (this.#waiting.length > 0 || !this.#fits(count)) {
      await new Promise<void>((enter) => this.#waiting.push({ count, enter }));
    } else this.#taken += count;
    try {
      return await work();
    } finally {
      this.#taken -= count;
      this.#admit();
    }
  }

  #fits(count: number): boolean {
    return this.#taken === 0 || this.#taken + count <= this.#most;
  }

  /** Lets in who waited longest, and the next as long as there is room. */
  #admit(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#fits(first.count); first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#taken += first.count;
      first.enter();
    }
  }
}
