/**
 * Numbers by key that all processes of a daemon add to: each tells the others what it has, within `limits.tellMs`, and counts theirs
 * to its own.
 *
 * Invariant: what the others were told last, and what is about to be told, is what is counted here.
 */
import { limits } from './limits.ts';
import { Siblings } from './siblings.ts';

export class SharedCounts {
  readonly #about: string;
  readonly #siblings: Siblings;
  /** Without those that are none. */
  readonly #own = new Map<string, number>();
  /** What each other process has, by its pid. */
  readonly #others = new Map<number, Map<string, number>>();
  /** Keys whose numbers the others are about to be told. */
  readonly #changed = new Set<string>();

  /** @param about what is counted, as the processes tell each other */
  constructor(about: string, siblings: Siblings = new Siblings()) {
    this.#about = about;
    this.#siblings = siblings;
    siblings.hear(about, (args, from) => this.#hear(args, from));
    siblings.hear('gone', (_, from) => this.#others.delete(from));
    siblings.hear('joined', () => {
      for (const key of this.#own.keys()) this.#change(key);
    });
  }

  /** Of this process. */
  own(key: string): number {
    return this.#own.get(key) ?? 0;
  }

  /** Of all processes, as far as was heard. */
  count(key: string): number {
    let count = this.own(key);
    for (const other of this.#others.values()) count += other.get(key) ?? 0;
    return count;
  }

  add(key: string, by: 1 | -1): void {
    setCount(this.#own, key, this.own(key) + by);
    this.#change(key);
  }

  #change(key: string): void {
    if (!this.#siblings.areSupervised) return;
    if (this.#changed.size === 0) setTimeout(() => this.#tell(), limits.tellMs).unref();
    this.#changed.add(key);
  }

  #tell(): void {
    const args = [...this.#changed].flatMap((key) => [key, String(this.own(key))]);
    this.#changed.clear();
    this.#siblings.tell(this.#about, args);
  }

  #hear(args: readonly string[], from: number): void {
    const theirs = this.#others.get(from) ?? new Map<string, number>();
    this.#others.set(from, theirs);
    for (let at = 0; at < args.length; at += 2) setCount(theirs, args[at] ?? '', Number(args[at + 1]));
  }
}

function setCount(counts: Map<string, number>, key: string, count: number): void {
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
