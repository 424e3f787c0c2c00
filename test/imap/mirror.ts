/** What a client makes of what it is told, to be held against what is there. */
import assert from 'node:assert/strict';
import type { ImapClient } from '../support/imap-client.ts';
import { sortedFlags } from './flag-truth.ts';

/** A client's idea of its mailbox, made of nothing but what it was told. */
export class Mirror {
  readonly client: ImapClient;
  /** Flags by message number, from 1; undefined where they were never told. */
  #flags: (string | undefined)[] = [];
  #uids: (number | undefined)[] = [];
  /** The flags that there are, as FLAGS named them last. */
  #known: ReadonlySet<string> = new Set();

  constructor(client: ImapClient) {
    this.client = client;
  }

  get count(): number {
    return this.#flags.length;
  }

  hear(lines: readonly string[]): void {
    for (const line of lines) {
      if (line.startsWith('* FLAGS (')) this.#known = new Set(line.slice('* FLAGS ('.length, -1).split(' '));
      const [, number, what = '', rest = ''] = /^\* (\d+) (EXISTS|EXPUNGE|FETCH)(.*)$/s.exec(line) ?? [];
      const at = Number(number) - 1;
      if (what === 'EXISTS') {
        assert.ok(at + 1 >= this.count, `EXISTS falls from ${this.count} to ${at + 1}`);
        while (this.count < at + 1) {
          this.#flags.push(undefined);
          this.#uids.push(undefined);
        }
      } else if (what !== '') assert.ok(at < this.count, `${line} of ${this.count}`);
      if (what === 'EXPUNGE') {
        this.#flags.splice(at, 1);
        this.#uids.splice(at, 1);
      } else if (what === 'FETCH') this.#learn(at, rest);
    }
  }

  #learn(at: number, rest: string): void {
    const uid = /\bUID (\d+)/.exec(rest)?.[1];
    if (uid !== undefined) {
      assert.ok(this.#uids[at] === undefined || this.#uids[at] === Number(uid), `message ${at + 1} is ${uid}`);
      this.#uids[at] = Number(uid);
    }
    const flags = /FLAGS \(([^)]*)\)/.exec(rest)?.[1];
    if (flags === undefined) return;
    for (const flag of flags.split(' '))
      assert.ok(['', '\\Recent'].includes(flag) || this.#known.has(flag), `${flag} was not told`);
    this.#flags[at] = sortedFlags(flags);
  }

  /** Asks, and learns from the answer. */
  async ask(command: string): Promise<string> {
    const { untagged, status } = await this.client.ask(command);
    this.hear(untagged);
    // What a client changes without wanting to hear of it, it works out by itself; this one forgets.
    if (command.includes('.SILENT')) this.#flags.fill(undefined);
    return status;
  }

  /** What was told is what is there; flags that were never told are left out. */
  assertIs(truth: ReadonlyMap<number, string>): void {
    assert.equal(this.count, truth.size);
    for (const [index, [uid, flags]] of [...truth].entries()) {
      assert.ok(
        this.#uids[index] === undefined || this.#uids[index] === uid,
        `message ${index + 1}: ${this.#uids[index]}, ${uid}`,
      );
      assert.ok(
        this.#flags[index] === undefined || this.#flags[index] === flags,
        `${uid}: ${this.#flags[index]}, ${flags}`,
      );
    }
  }
}
