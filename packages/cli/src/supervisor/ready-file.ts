/**
 * `run/ready.json`: where a running service listens and which processes it is, for scripts. It is there while the service is ready,
 * always whole, and its absence says nothing about whether one runs (run/serve.lock does).
 */

import { rmSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';

/** What the file says. */
export interface ReadyState {
  /** Addresses by listener. */
  readonly listening: Readonly<Record<string, readonly string[]>>;
  /** Processes by program. */
  readonly pids: Readonly<Record<string, number | readonly number[] | null>>;
  /** Programs that do not run now, and how they ended; their `pids` are those of the last ones that ran. */
  readonly down: Readonly<Record<string, string>>;
}

export class ReadyFile {
  readonly #path: string;
  /** Writes come one after the other, so that the newest state stays. */
  #written: Promise<void> = Promise.resolve();
  #removed = false;

  constructor(runDirectory: string) {
    this.#path = `${runDirectory}/ready.json`;
  }

  /** Removes what an earlier service left; true when there was something, so that one did not end in good order. */
  async clear(): Promise<boolean> {
    await rm(`${this.#path}.new`, { force: true });
    return rm(this.#path).then(
      () => true,
      () => false,
    );
  }

  /** Replaces the file. */
  write(pid: number, { listening, pids, down }: ReadyState): Promise<void> {
    const text = `${JSON.stringify({ pid, ...listening, pids, down })}\n`;
    this.#written = this.#written.catch(() => undefined).then(() => this.#replace(text));
    return this.#written;
  }

  /** No file from now on. */
  removeNow(): void {
    this.#removed = true;
    rmSync(this.#path, { force: true });
  }

  async #replace(text: string): Promise<void> {
    const next = `${this.#path}.new`;
    await writeFile(next, text, { mode: 0o644 });
    if (this.#removed) await rm(next, { force: true });
    else await rename(next, this.#path);
    if (this.#removed) this.removeNow();
  }
}
