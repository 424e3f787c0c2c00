/** A client of tests that keeps a mailbox as RFC 7162 says: made of nothing but what it was told, over many connections. */
import assert from 'node:assert/strict';
import { ImapClient } from '../support/imap-client.ts';
import { sortedFlags } from './flag-truth.ts';

/** What SELECT is told beside UIDVALIDITY and MODSEQ. */
export type Remembered = 'nothing' | 'uids' | 'numbers' | 'both';

export class ResyncClient {
  /** Flags by UID, of the messages that the client knows. */
  readonly #flags = new Map<number, string>();
  #client: ImapClient | undefined;
  #uidValidity = 0;
  /** Up to here it was told everything. */
  modSeq = 0;
  /** Of the messages below, it knows all; of those from here on, some by chance. */
  #next = 1;
  /** Messages, by EXISTS and VANISHED. */
  count = 0;
  /** The highest MODSEQ of the command that is under way, and what HIGHESTMODSEQ said meanwhile. */
  #highest = 0;
  #said: number | undefined;

  get isConnected(): boolean {
    return this.#client !== undefined;
  }

  get uids(): readonly number[] {
    return [...this.#flags.keys()].sort((a, b) => a - b);
  }

  /** Connects, and learns what it missed. */
  async connect(
    address: string,
    user: string,
    remembered: Remembered,
    sample: (uid: number) => boolean,
  ): Promise<void> {
    this.#client = await ImapClient.logIn(address, user);
    assert.deepEqual(await this.#client.ok('ENABLE QRESYNC'), ['* ENABLED QRESYNC']);
    const isNew = this.#uidValidity === 0;
    const known = isNew || this.uids.length === 0 ? 'nothing' : remembered;
    await this.ask(isNew ? 'SELECT INBOX' : `SELECT INBOX (QRESYNC (${this.#parameters(known, sample)}))`);
    if (isNew || this.#flags.size < this.count) await this.fetchNew();
  }

  /** Goes without a word. */
  disconnect(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  async ask(command: string): Promise<void> {
    assert.ok(this.#client !== undefined, 'it is connected');
    const { untagged, status } = await this.#client.ask(command);
    assert.match(status, /^(?:OK|NO \[(?:EXPUNGEISSUED|MODIFIED)\b)/, `${command}: ${status}`);
    for (const line of untagged) this.#hear(line);
    this.#hear(`* ${status}`);
    this.#end();
  }

  /** Learns of the messages that EXISTS counted. */
  async fetchNew(): Promise<void> {
    await this.ask(`UID FETCH ${this.#next}:* (FLAGS MODSEQ)`);
    this.#next = (this.uids.at(-1) ?? 0) + 1;
  }

  /** Idles while something happens; then hears what was told until DONE, or is gone before it heard any of it. */
  async idle(meanwhile: () => Promise<void>, leaves: boolean): Promise<void> {
    assert.ok(this.#client !== undefined, 'it is connected');
    await this.#client.idle();
    await meanwhile();
    if (leaves) return this.disconnect();
    for (const line of await this.#client.done()) this.#hear(line);
    this.#end();
  }

  /** What it was told is what is there. */
  assertIs(truth: ReadonlyMap<number, string>): void {
    assert.equal(this.count, truth.size, 'messages');
    assert.deepEqual(
      this.uids.map((uid) => [uid, this.#flags.get(uid)]),
      [...truth],
    );
  }

  #parameters(remembered: Remembered, sample: (uid: number) => boolean): string {
    const parts = [`${this.#uidValidity} ${this.modSeq}`];
    if (remembered === 'uids' || remembered === 'both') parts.push(this.uids.join());
    // Of what lies behind a message that it never fetched it does not know the number.
    const numbered = this.uids.map((uid, index) => [index + 1, uid] as const).filter(([, uid]) => uid < this.#next);
    const pairs = numbered.filter(([, uid]) => sample(uid));
    if ((remembered === 'numbers' || remembered === 'both') && pairs.length > 0) {
      parts.push(`(${pairs.map(([number]) => number).join()} ${pairs.map(([, uid]) => uid).join()})`);
    }
    return parts.join(' ');
  }

  #hear(line: string): void {
    assert.doesNotMatch(line, /^\* \d+ EXPUNGE/);
    this.#uidValidity = Number(/\[UIDVALIDITY (\d+)\]/.exec(line)?.[1] ?? this.#uidValidity);
    const said = /\[HIGHESTMODSEQ (\d+)\]/.exec(line)?.[1];
    if (said !== undefined) this.#said = Number(said);
    const count = /^\* (\d+) EXISTS/.exec(line)?.[1];
    if (count !== undefined) this.count = Number(count);
    const [, earlier, set] = /^\* VANISHED( \(EARLIER\))? (.+)$/.exec(line) ?? [];
    if (set !== undefined) this.#vanish(set, earlier !== undefined);
    const [, number, items] = /^\* (\d+) FETCH \((.*)\)$/s.exec(line) ?? [];
    if (items !== undefined) this.#learn(Number(number), items);
  }

  #vanish(set: string, isEarlier: boolean): void {
    let before = 0;
    for (const range of set.split(',')) {
      const [first = 0, last = first] = range.split(':').map(Number);
      assert.ok(first > before && last >= first, set);
      before = last;
      if (!isEarlier) this.count -= last - first + 1;
      for (const uid of this.uids) if (uid >= first && uid <= last) this.#flags.delete(uid);
    }
  }

  #learn(number: number, items: string): void {
    const uid = Number(/\bUID (\d+)/.exec(items)?.[1]);
    assert.ok(uid > 0, `unasked without UID: ${items}`);
    const modSeq = Number(/MODSEQ \((\d+)\)/.exec(items)?.[1]);
    assert.ok(modSeq > 0, `unasked without MODSEQ: ${items}`);
    this.#highest = Math.max(this.#highest, modSeq);
    const flags = /FLAGS \(([^)]*)\)/.exec(items)?.[1];
    if (flags !== undefined) this.#flags.set(uid, sortedFlags(flags));
    const index = this.uids.indexOf(uid);
    // Messages that it knows nothing of but their number may stand before.
    if (this.#flags.size === this.count && index !== -1) assert.equal(index, number - 1, `number of UID ${uid}`);
    else assert.ok(index < number, `number ${number} of UID ${uid}`);
  }

  /** A command is over. RFC 7162 §4.1: HIGHESTMODSEQ counts where it was said, else the highest MODSEQ. */
  #end(): void {
    this.modSeq = this.#said ?? Math.max(this.modSeq, this.#highest);
    this.#said = undefined;
    this.#highest = 0;
  }
}
