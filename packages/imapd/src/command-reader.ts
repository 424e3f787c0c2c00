/**
 * Reads commands from a connection: a line, and where it announces a literal, the literal and the next line, to the end (RFC 9051
 * §4.3, RFC 7888). What stands in them is for the decoder; here it counts how much there is.
 *
 * A command that is too long is refused by its tag, and the next one can be read: a client that waits for our `+` is told instead; what
 * one that does not wait sends all the same is passed over. Only what would never end ends the session.
 *
 * Invariant: of a command at most the allowed octets are held, and one read of the connection.
 */
import { isPeerError, type LineReader } from '@mstore/net';
import { type Refusal, RefusedError, refusalFor, refusals } from './errors.ts';
import { limits } from './limits.ts';
import type { Segment } from './wire/decoder.ts';
import { announcedLiteral, type LiteralAnnouncement } from './wire/literal.ts';

export interface CommandBounds {
  /** Octets of lines and literals together. */
  readonly commandBytes: number;
  /** Octets of a refused literal that are passed over. */
  readonly skippedBytes: number;
}

export const anonymousBounds: CommandBounds = {
  commandBytes: limits.anonymousCommandBytes,
  skippedBytes: limits.anonymousSkippedBytes,
};

export const loggedInBounds: CommandBounds = {
  commandBytes: limits.commandBytes,
  skippedBytes: limits.skippedBytes,
};

/** A command, or why there is none: what was read of it, for its tag. */
export type ReadCommand =
  | { readonly kind: 'command'; readonly segments: readonly Segment[] }
  | { readonly kind: 'refused'; readonly first: Buffer; readonly refusal: Refusal };

/** A line that was too long to be read. */
interface SkippedCommandLine {
  /** Its first octets. */
  readonly start: Buffer;
  /** What it announced at its end. */
  readonly literal: LiteralAnnouncement | undefined;
  readonly refusal: Refusal;
}

const noOctets = Buffer.alloc(0);

export interface CommandReaderOptions {
  /** Asks the client for the literal that it announced. */
  readonly invite: () => Promise<void> | undefined;
  /** Told of each line and literal as it comes, messages excepted; `first` is the first line of the command. */
  readonly heard: (octets: Buffer, first: Buffer) => void;
  /** True when the literal that would come next is a message, which is read by who runs the command. */
  readonly isMessage: (segments: readonly Segment[]) => boolean;
}

export class CommandReader {
  readonly #lines: LineReader;
  readonly #options: CommandReaderOptions;
  #bounds: CommandBounds = anonymousBounds;
  /** The literal of a message that nobody has read yet. */
  #unread: LiteralAnnouncement | undefined;
  /** The line behind a message was not read: whoever took the message gave up. */
  #owesLine = false;

  constructor(lines: LineReader, options: CommandReaderOptions) {
    this.#lines = lines;
    this.#options = options;
  }

  set bounds(bounds: CommandBounds) {
    this.#bounds = bounds;
  }

  /** The next command; undefined when none comes any more. @throws {PeerError} the connection is of no more use */
  async next(): Promise<ReadCommand | undefined> {
    if ((await this.#passUnread()) === 'endless') {
      return { kind: 'refused', first: noOctets, refusal: refusals.literalEndless };
    }
    const segments: Segment[] = [];
    let bytes = 0;
    for (;;) {
      const line = await this.#line();
      if (line === undefined) return undefined;
      if (!Buffer.isBuffer(line)) {
        const { start, literal, refusal } = line;
        return this.#pass(segments.length > 0 ? segments : [{ line: start }], literal, refusal);
      }
      const first = segments[0]?.line ?? line;
      this.#options.heard(line, first);
      bytes += line.length;
      const literal = announcedLiteral(line);
      if (literal === undefined) {
        segments.push({ line });
        return { kind: 'command', segments };
      }
      const asMessage: Segment[] = [...segments, { line, literal: 'unread' }];
      if (this.#options.isMessage(asMessage)) {
        this.#unread = literal;
        return { kind: 'command', segments: asMessage };
      }
      const tooMuch = this.#refusalOf(literal, bytes, segments.length);
      if (tooMuch !== undefined) {
        segments.push({ line });
        return this.#pass(segments, literal, tooMuch);
      }
      const octets = await this.#literal(literal);
      this.#options.heard(octets, first);
      segments.push({ line, literal: octets });
      bytes += literal.bytes;
    }
  }

  /** The octets of the message that the command ends with so far. Leaving early is allowed. @throws {PeerError} gone */
  async *message(): AsyncGenerator<Buffer, void, undefined> {
    const literal = this.#unread;
    if (literal === undefined) return;
    if (literal.isWaiting) await this.#options.invite();
    this.#unread = undefined;
    this.#owesLine = true;
    yield* this.#lines.bytes(literal.bytes);
  }

  /** What stands behind a message: the rest of the command, or of it up to the next message. @throws {RefusedError} too long */
  async behindMessage(): Promise<Segment | undefined> {
    this.#owesLine = false;
    const line = await this.#line();
    if (line === undefined) return undefined;
    if (!Buffer.isBuffer(line)) {
      this.#unread = line.literal;
      throw new RefusedError(line.refusal);
    }
    this.#unread = announcedLiteral(line);
    return this.#unread === undefined ? { line } : { line, literal: 'unread' };
  }

  /** Passes over a message that nobody wanted, and the rest of its command. */
  async #passUnread(): Promise<'passed' | 'endless'> {
    if (this.#owesLine) {
      this.#owesLine = false;
      const line = await this.#line();
      this.#unread = Buffer.isBuffer(line) ? announcedLiteral(line) : line?.literal;
    }
    const literal = this.#unread;
    this.#unread = undefined;
    if (literal === undefined) return 'passed';
    const passed = await this.#pass([], literal, refusals.literalTooLarge);
    return passed?.kind === 'refused' && passed.refusal.status === 'BYE' ? 'endless' : 'passed';
  }

  #refusalOf(literal: LiteralAnnouncement, bytes: number, literals: number): Refusal | undefined {
    const { commandBytes } = this.#bounds;
    if (literal.bytes > commandBytes) return refusals.literalTooLarge;
    if (bytes + literal.bytes > commandBytes || literals >= limits.commandLiterals) return refusals.commandTooLong;
    return undefined;
  }

  /** A line, without its end; of one that was skipped what is left. */
  async #line(): Promise<Buffer | SkippedCommandLine | undefined> {
    try {
      return await this.#lines.next();
    } catch (error) {
      const refusal = isPeerError(error) ? refusalFor(error) : undefined;
      if (refusal === undefined) throw error;
      const { start, end } = this.#lines.skipped ?? { start: noOctets, end: noOctets };
      return { start, literal: announcedLiteral(end), refusal };
    }
  }

  async #literal({ bytes, isWaiting }: LiteralAnnouncement): Promise<Buffer> {
    if (isWaiting) await this.#options.invite();
    const pieces: Buffer[] = [];
    // A client that has not been asked for it yet sends nothing before it reads our line.
    for await (const piece of this.#lines.bytes(bytes)) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces, bytes);
  }

  /** Reads what the client sends of a refused command without being asked. */
  async #pass(
    segments: readonly Segment[],
    first: LiteralAnnouncement | undefined,
    refusal: Refusal,
  ): Promise<ReadCommand | undefined> {
    let left = this.#bounds.skippedBytes;
    for (let literal: LiteralAnnouncement | undefined = first; literal !== undefined && !literal.isWaiting; ) {
      left -= literal.bytes;
      if (left < 0) return refusedAt(segments, refusals.literalEndless);
      this.#lines.bytes(literal.bytes);
      const line = await this.#line();
      if (line === undefined) return undefined;
      if (!Buffer.isBuffer(line)) {
        if (line.refusal.status === 'BYE') return refusedAt(segments, line.refusal);
        left -= limits.lineBytes;
        literal = line.literal;
        continue;
      }
      left -= line.length;
      literal = announcedLiteral(line);
    }
    return refusedAt(segments, refusal);
  }
}

function refusedAt(segments: readonly Segment[], refusal: Refusal): ReadCommand {
  return { kind: 'refused', first: segments[0]?.line ?? noOctets, refusal };
}
