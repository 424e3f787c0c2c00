/**
 * The octets on `run/lda.sock` (docs/protocols/lda-socket.md): a greeting with the version, one frame of arguments, the
 * message in frames, the end marker; and back one line. Owns the form of both directions; knows nothing of their meaning.
 */
import type { ExitCode, LdaAnswer } from './exit-codes.ts';
import { limits } from './limits.ts';

export const greeting: Buffer = Buffer.from('mstore-lda 1\n');
/** Octets of a frame's type and length. */
export const headBytes = 5;

export const frameType = { arguments: 0x41, data: 0x44, end: 0x45 } as const;

/** What came is not this protocol, or not this version of it. */
export class WireError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WireError';
  }
}

function head(type: number, bytes: number): Buffer {
  const octets = Buffer.alloc(headBytes);
  octets[0] = type;
  octets.writeUInt32BE(bytes, 1);
  return octets;
}

/** Greeting and arguments. @throws {WireError} when they are too long */
export function encodeOpening(args: readonly string[]): Buffer {
  const words = Buffer.from(args.map((word) => `${word}\0`).join(''));
  if (words.length > limits.argumentBytes) throw new WireError('the arguments are too long');
  return Buffer.concat([greeting, head(frameType.arguments, words.length), words]);
}

/** A piece of the message, up to `limits.pieceBytes`, to be followed by its octets. */
export function encodePieceHead(bytes: number): Buffer {
  return head(frameType.data, bytes);
}

export const endMarker: Buffer = head(frameType.end, 0);

/** The answer: code, blank, text, line feed. Controls in the text become blanks, and what is too long is cut. */
export function encodeAnswer({ code, text }: LdaAnswer): Buffer {
  const line = Buffer.from(text.replace(/[\p{Cc}\p{Cs}\u2028\u2029]+/gu, ' '));
  return Buffer.concat([Buffer.from(`${code} `), line.subarray(0, limits.answerBytes), Buffer.from('\n')]);
}

const codes: readonly ExitCode[] = [0, 65, 67, 75, 77];

/** The answer in a line without its end; undefined where it is none. */
export function decodeAnswer(line: string): LdaAnswer | undefined {
  const [, digits, text = ''] = /^(\d{1,3}) (.*)$/s.exec(line) ?? [];
  const code = codes.find((known) => String(known) === digits);
  return code === undefined ? undefined : { code, text };
}
