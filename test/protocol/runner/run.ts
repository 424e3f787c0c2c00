/**
 * Plays a transcript: sends what clients say, compares what daemons answer, and does what stands between. At the end no connection
 * may have said anything that the transcript does not expect.
 */
import assert from 'node:assert/strict';
import { Peer } from '../../support/peer.ts';
import { accepts, expand, shown, type Variables } from './pattern.ts';
import { type Step, type Transcript, withLineEnd } from './transcript.ts';

/** What a transcript plays on: where the daemons listen, and what else can be done. */
export interface Stage {
  /** Where a protocol's daemon listens. @throws Error for one that is not there */
  address(protocol: string): string;
  /** Does something in words. @throws Error for words that mean nothing; what assertions throw */
  act(words: string, content: readonly string[], variables: Variables): Promise<void>;
}

type Expecting = Extract<Step, { kind: 'expect' | 'unordered' | 'skip' }>;

class Play {
  readonly #stage: Stage;
  readonly #protocol: string;
  readonly #variables: Variables = new Map();
  readonly #peers = new Map<number, Peer>();
  #unsent: { readonly connection: number; readonly pieces: Buffer[] } | undefined;

  constructor(stage: Stage, protocol: string) {
    this.#stage = stage;
    this.#protocol = protocol;
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const [at, step] of steps.entries()) {
      try {
        await this.#step(step, steps[at + 1]);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new Error(`line ${step.line}: ${why}`, { cause: error });
      }
    }
    await this.#send();
  }

  /** Nothing is left that a daemon said. */
  assertSilent(): void {
    for (const [connection, peer] of this.#peers) {
      const left = peer.pending.toString('latin1');
      assert.equal(left, '', `connection ${connection} said more: ${shown(left)}`);
    }
  }

  close(): void {
    for (const peer of this.#peers.values()) peer.kill();
  }

  async #step(step: Step, next: Step | undefined): Promise<void> {
    if (step.kind === 'send') {
      await this.#say(step.connection, expand(step.text, this.#variables), step.lineEnd);
      return;
    }
    await this.#send();
    if (step.kind === 'action') await this.#act(step.words, step.content);
    else await this.#expect(await this.#peer(step.connection), step, next);
  }

  /** Lines in a row go out in one piece, as a pipelining client sends them. */
  async #say(connection: number, octets: Buffer, lineEnd: boolean): Promise<void> {
    if (this.#unsent?.connection !== connection) await this.#send();
    this.#unsent ??= { connection, pieces: [] };
    this.#unsent.pieces.push(octets, Buffer.from(lineEnd ? '\r\n' : ''));
  }

  async #send(): Promise<void> {
    const unsent = this.#unsent;
    this.#unsent = undefined;
    if (unsent === undefined) return;
    // Not awaited: a daemon that answers before it has read everything must be heard.
    void (await this.#peer(unsent.connection)).write(Buffer.concat(unsent.pieces));
  }

  async #peer(connection: number): Promise<Peer> {
    return this.#peers.get(connection) ?? (await this.#connect(connection, this.#protocol));
  }

  async #connect(connection: number, protocol: string): Promise<Peer> {
    const peer = await Peer.connect(this.#stage.address(protocol));
    this.#peers.set(connection, peer);
    return peer;
  }

  async #expect(peer: Peer, step: Expecting, next: Step | undefined): Promise<void> {
    if (step.kind === 'expect') {
      const line = await peer.line();
      if (line === undefined) throw new Error(`the daemon ended; expected ${step.text}`);
      if (!accepts(step.text, line, this.#variables))
        throw new Error(`got      ${shown(line)}\n  expected ${step.text}`);
      return;
    }
    const missing = new Set(step.kind === 'unordered' ? step.texts : []);
    const others = step.kind === 'skip' || step.others;
    const until = others ? expectedNext(step, next) : undefined;
    while (others || missing.size > 0) {
      const line = await peer.line();
      if (line === undefined) throw new Error(`the daemon ended; still expected: ${[...missing].join(' | ')}`);
      if (until !== undefined && missing.size === 0 && accepts(until, line, this.#variables)) {
        peer.unread(`${line}\r\n`);
        return;
      }
      const found = [...missing].find((text) => accepts(text, line, this.#variables));
      if (found !== undefined) missing.delete(found);
      else if (!others) throw new Error(`got      ${shown(line)}\n  expected one of ${[...missing].join(' | ')}`);
      else if (until !== undefined && accepts(until, line, new Map(this.#variables))) {
        throw new Error(`missing: ${[...missing].join(' | ')}`);
      }
    }
  }

  async #act(words: string, content: readonly string[]): Promise<void> {
    const [, verb, digits = '1', rest = ''] =
      /^(connect|kill connection|end connection|stop reading) (\d+)(?: (\w+))?$/.exec(words) ?? [];
    if (verb === undefined) {
      const [, closed] = /^connection (\d+) is closed$/.exec(words) ?? [];
      if (closed === undefined) await this.#stage.act(words, content, this.#variables);
      else await this.#closed(await this.#peer(Number(closed)));
      return;
    }
    const connection = Number(digits);
    if (verb === 'connect') await this.#connect(connection, rest === '' ? this.#protocol : rest);
    else if (verb === 'kill connection') (await this.#peer(connection)).kill();
    else if (verb === 'end connection') (await this.#peer(connection)).end();
    else (await this.#peer(connection)).stopReading();
  }

  async #closed(peer: Peer): Promise<void> {
    const rest = (await peer.rest()).toString('latin1');
    assert.equal(rest, '', `said before it closed: ${shown(rest)}`);
  }
}

function expectedNext(step: Expecting, next: Step | undefined): string {
  if (next?.kind === 'expect' && next.connection === step.connection) return next.text;
  throw new Error('behind lines that nobody minds stands one that is expected');
}

/** Does what stands before the dialogue, in the words that `act` knows. */
export async function prepare(transcript: Transcript, act: Stage['act']): Promise<void> {
  for (const step of transcript.head) if (step.kind === 'action') await act(step.words, step.content, new Map());
}

/** Plays the dialogue. `protocol` is spoken on connections that do not say otherwise. */
export async function play(transcript: Transcript, stage: Stage, protocol: string): Promise<void> {
  const dialogue = new Play(stage, protocol);
  try {
    await dialogue.run(transcript.steps);
    dialogue.assertSilent();
  } finally {
    dialogue.close();
  }
}

/** The octets that lines of `|` stand for. */
export function contentOctets(content: readonly string[], variables: Variables): Buffer {
  return Buffer.concat(
    content.flatMap((line) => {
      const { text, lineEnd } = withLineEnd(line);
      return [expand(text, variables), Buffer.from(lineEnd ? '\r\n' : '')];
    }),
  );
}

/** The pattern that lines of `|` stand for; a line of `...` is any number of lines. */
export function contentPattern(content: readonly string[]): string {
  return content
    .map((line) => {
      if (line === '...') return '{{/(?:[^\\n]*\\n)*?/}}';
      const { text, lineEnd } = withLineEnd(line);
      return lineEnd ? `${text}\\r\\n` : text;
    })
    .join('');
}
