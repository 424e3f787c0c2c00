/**
 * Scrub in the background of the writer's process: a pass every so many days, at a low rate. It reads through descriptors of its
 * own and always on Node's threads, works in slices, and asks the writer for nothing but its catalog; so no delivery waits for
 * it. A pass that was interrupted goes on at the next start.
 */
import type { Catalog } from '../catalog/catalog.ts';
import { isStoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import { patientFs } from '../sys/node-fs.ts';
import { machinePorts } from '../writer/store-directory.ts';
import type { Finding } from './findings.ts';
import { type ScrubPass, scrub, scrubState } from './scrub.ts';

export interface ScrubSettings {
  /** Octets a second. */
  readonly rate: number;
  /** Days between the beginnings of two passes; 0: none. */
  readonly interval: number;
}

/** Who is told; the store itself logs nothing. */
export interface ScrubObserver {
  found(finding: Finding): void;
  /** Octets read since it was told last. */
  read(bytes: number): void;
  /** A pass is over. */
  passed(pass: ScrubPass): void;
  /** A pass could not go on; it is tried again later. */
  failed(error: unknown): void;
}

const dayMs = 86_400_000;

export class BackgroundScrub {
  readonly #directory: string;
  readonly #catalog: () => Catalog;
  readonly #settings: ScrubSettings;
  readonly #observer: ScrubObserver;
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;
  #wake: () => void = () => undefined;

  constructor(directory: string, catalog: () => Catalog, settings: ScrubSettings, observer: ScrubObserver) {
    this.#directory = directory;
    this.#catalog = catalog;
    this.#settings = settings;
    this.#observer = observer;
    this.#done = settings.interval === 0 ? Promise.resolve() : this.#run();
  }

  /** Ends the pass under way; it goes on at the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        if (await this.#isDue()) await this.#pass();
      } catch (error) {
        // A command scrubs at the moment: it does this pass.
        if (!isStoreError(error, 'locked')) this.#observer.failed(error);
      }
      await this.#pause();
    }
  }

  async #isDue(): Promise<boolean> {
    const { fs, clock } = machinePorts;
    const { current, last } = await scrubState(fs, this.#directory);
    if (current !== undefined || last === undefined) return true;
    return clock.now() - last.begun * 1_000 >= this.#settings.interval * dayMs;
  }

  async #pass(): Promise<void> {
    let told: number | undefined;
    const pass = await scrub(this.#directory, {
      ports: { ...machinePorts, fs: patientFs },
      catalog: this.#catalog,
      rateBytes: this.#settings.rate,
      signal: this.#stopping.signal,
      onFinding: (finding) => this.#observer.found(finding),
      onProgress: (done) => {
        if (told !== undefined) this.#observer.read(done - told);
        told = done;
      },
    });
    if (pass.ended > 0) this.#observer.passed(pass);
  }

  #pause(): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limits.scrubLookMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
