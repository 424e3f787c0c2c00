/**
 * The writer's socket, octet by octet: frames, and values in them (docs/locking.md, "The writer's socket").
 *
 * A frame is a u32 (big-endian) length of what follows, a type octet, a u32 id and a payload of up to `frameBytes` towards the writer, `answerBytes` from it. Requests and
 * answers are JSON in which octets stand as `{"$octets": base64}` and UID sets as `{"$uids": "1:3,7"}`. A message is sent
 * ahead in body frames under an id of its own; at most `windowBytes` of it are under way unconfirmed.
 */
import type { Socket } from 'node:net';
import { UidSet } from '../codec/uid-set.ts';
import { StoreError } from '../errors.ts';

export const frameType = {
  request: 1,
  body: 2,
  bodyEnd: 3,
  discard: 4,
  answer: 5,
  error: 6,
  feed: 7,
  credit: 8,
} as const;

/** Octets of a message that may be under way before the writer confirmed any. */
export const windowBytes = 1_048_576;
/** Octets up to which what came is copied rather than kept with its neighbours in the buffer. */
const copiedBytesMax = 4_096;

/** Octets of one body frame. */
export const bodyBytes = 262_144;

const headBytes = 9;

export interface Frame {
  readonly type: number;
  readonly id: number;
  readonly payload: Buffer;
}

export function encodeFrame(type: number, id: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + payload.length);
  frame.writeUInt32BE(headBytes - 4 + payload.length, 0);
  frame[4] = type;
  frame.writeUInt32BE(id, 5);
  payload.copy(frame, headBytes);
  return frame;
}

/** Writes frames to a socket; those of one turn go out together, and wake the other side once. */
export class FrameSender {
  readonly #socket: Socket;
  #isGathering = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  send(type: number, id: number, payload: Buffer): void {
    if (!this.#isGathering) {
      this.#isGathering = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isGathering = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(encodeFrame(type, id, payload));
  }
}

/** Cuts what a socket brings into frames. */
export class FrameReader {
  readonly #bytesMax: number;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Octets to wait for before looking again, so that a long frame is put together once. */
  #wantedBytes = headBytes;

  /** `bytesMax`: of the longest frame taken. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The frames that are whole now; their payloads are the caller's. @throws {StoreError} badIntent: a frame too long */
  *push(octets: Buffer): Generator<Frame> {
    this.#held.push(octets);
    this.#heldBytes += octets.length;
    if (this.#heldBytes < this.#wantedBytes) return;
    let rest = this.#held.length === 1 ? octets : Buffer.concat(this.#held);
    this.#wantedBytes = headBytes;
    while (rest.length >= headBytes) {
      const length = rest.readUInt32BE(0);
      if (length > this.#bytesMax || length < headBytes - 4) {
        throw new StoreError('badIntent', `a frame of ${length} octets`);
      }
      this.#wantedBytes = 4 + length;
      if (rest.length < 4 + length) break;
      yield {
        type: rest.readUInt8(4),
        id: rest.readUInt32BE(5),
        payload: own(rest.subarray(headBytes, 4 + length)),
      };
      rest = rest.subarray(4 + length);
      this.#wantedBytes = headBytes;
    }
    // An empty one would have what comes next copied behind it.
    this.#held = rest.length === 0 ? [] : [own(rest)];
    this.#heldBytes = rest.length;
  }
}

/** What came from the socket, to be kept: a few octets do not keep the buffer they came in. */
function own(octets: Buffer): Buffer {
  return octets.length < copiedBytesMax ? Buffer.from(octets) : octets;
}

/** A value as JSON octets. */
export function encodeValue(value: unknown): Buffer {
  const text = JSON.stringify(value, function replace(this: Record<string, unknown>, key: string, given: unknown) {
    const original = this[key];
    if (Buffer.isBuffer(original)) return { $octets: original.toString('base64') };
    if (original instanceof UidSet) return { $uids: original.toString() };
    return given;
  });
  return Buffer.from(text ?? 'null', 'utf8');
}

/** @throws {StoreError} badIntent */
export function decodeValue(octets: Buffer): unknown {
  try {
    return JSON.parse(octets.toString('utf8'), (_key, value: unknown) => {
      if (typeof value !== 'object' || value === null) return value;
      if ('$octets' in value && typeof value.$octets === 'string') return Buffer.from(value.$octets, 'base64');
      if ('$uids' in value && typeof value.$uids === 'string') return parseUids(value.$uids);
      return value;
    });
  } catch (error) {
    throw new StoreError('badIntent', 'a frame that is not JSON', {}, error);
  }
}

function parseUids(text: string): UidSet {
  if (text === '') return UidSet.empty;
  return UidSet.ofRanges(
    text.split(',').map((range) => {
      const [first = 0, last = first] = range.split(':').map(Number);
      if (!isUid(first) || !isUid(last)) throw new StoreError('badIntent', 'a UID set that is none');
      return { first, last };
    }),
  );
}

function isUid(n: number): boolean {
  return Number.isInteger(n) && n >= 1 && n <= 0xffff_ffff;
}
