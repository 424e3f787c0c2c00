/** A raw IMAP client for tests: commands in, the lines of their answers out, with the literals in place. */
import assert from 'node:assert/strict';
import { Peer } from './peer.ts';

/** An answer's lines: text in Latin-1, the octets of literals where they stood. */
export interface ImapAnswer {
  /** Untagged lines, each with its CRLF taken off; literals stand in them as they came. */
  readonly untagged: readonly string[];
  /** `OK …`, `NO …` or `BAD …`. */
  readonly status: string;
}

export class ImapClient {
  readonly #peer: Peer;
  #count = 0;

  private constructor(peer: Peer) {
    this.#peer = peer;
  }

  /** Connects to a server that asks for no login. */
  static async open(address: string): Promise<ImapClient> {
    const client = new ImapClient(await Peer.connect(address));
    assert.match(await client.#line(), /^\* PREAUTH /);
    return client;
  }

  /** Connects, and is greeted. */
  static async connect(address: string): Promise<ImapClient> {
    const client = new ImapClient(await Peer.connect(address));
    assert.match(await client.#line(), /^\* OK /);
    return client;
  }

  /** Connects and logs in. */
  static async logIn(address: string, login: string, password: string = 'secret'): Promise<ImapClient> {
    const client = await ImapClient.connect(address);
    await client.ok(`LOGIN ${login} ${password}`);
    return client;
  }

  /** Sends a command, which may hold non-synchronising literals, and reads to its end. */
  async ask(command: string | Buffer): Promise<ImapAnswer> {
    this.#count += 1;
    const tag = `t${this.#count}`;
    const octets = typeof command === 'string' ? Buffer.from(command, 'latin1') : command;
    void this.#peer.write(Buffer.concat([Buffer.from(`${tag} `), octets, Buffer.from('\r\n')]));
    const untagged: string[] = [];
    for (;;) {
      const line = await this.#line();
      if (line.startsWith(`${tag} `)) return { untagged, status: line.slice(tag.length + 1) };
      untagged.push(line);
    }
  }

  /** The untagged lines of a command that ends well. */
  async ok(command: string | Buffer): Promise<readonly string[]> {
    const { untagged, status } = await this.ask(command);
    assert.match(status, /^OK/, String(command).slice(0, 200));
    return untagged;
  }

  /** Sends `IDLE`; resolves when the daemon idles. */
  async idle(): Promise<void> {
    this.#count += 1;
    void this.#peer.write(`t${this.#count} IDLE\r\n`);
    for (;;) if ((await this.#line()).startsWith('+')) return;
  }

  /** A line that comes by itself. */
  next(): Promise<string> {
    return this.#line();
  }

  /** Ends IDLE; what came until its end. */
  async done(): Promise<readonly string[]> {
    void this.#peer.write('DONE\r\n');
    const lines: string[] = [];
    for (;;) {
      const line = await this.#line();
      if (line.startsWith(`t${this.#count} `)) return lines;
      lines.push(line);
    }
  }

  /** Both sides compress from here on. */
  async compress(): Promise<void> {
    await this.ok('COMPRESS DEFLATE');
    this.#peer.compress();
  }

  /** Sends octets that are compressed already, or should be. */
  sendBelow(octets: Buffer): void {
    this.#peer.writeBelow(octets);
  }

  /** Waits until the daemon ends its side, and says no more. */
  async isOver(): Promise<boolean> {
    return (await this.#peer.line()) === undefined && this.#peer.isOver;
  }

  close(): void {
    this.#peer.kill();
  }

  /** A line with its literals, less the last CRLF. */
  async #line(): Promise<string> {
    let whole = '';
    for (;;) {
      const line = await this.#peer.line();
      if (line === undefined) throw new Error('the daemon ended the connection');
      const literal = /~?\{(\d+)\}$/.exec(line);
      if (literal === null) return whole + line;
      whole += `${line}\r\n${(await this.#peer.octets(Number(literal[1]))).toString('latin1')}`;
    }
  }
}

/** Copies messages of the selected INBOX into it until there are so many. */
export async function multiply(client: ImapClient, from: number, to: number): Promise<void> {
  for (let count = from; count < to; ) {
    const more = Math.min(count, to - count);
    await client.ok(`COPY 1:${more} INBOX`);
    count += more;
  }
  await client.ok('NOOP');
}

/** The literal or quoted string behind a section's label in a FETCH line, in Latin-1. */
export function sectionOf(line: string, label: string): string {
  const at = line.indexOf(`${label} `);
  assert.notEqual(at, -1, `no ${label} in ${line.slice(0, 200)}`);
  const rest = line.slice(at + label.length + 1);
  const literal = /^\{(\d+)\}\r\n/.exec(rest);
  assert.ok(literal !== null, `no literal behind ${label} in ${line.slice(0, 200)}`);
  return rest.slice(literal[0].length, literal[0].length + Number(literal[1]));
}
