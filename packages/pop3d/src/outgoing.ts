/**
 * Messages on their way to a client: the octets as they are stored, with dots before dots, and the last line end and the final dot in
 * one piece (RFC 1939 §3). Nothing is done line by line.
 *
 * What is small enough is read whole before its first octet is sent, so that damage is answered with an error. Where a
 * larger message turns out damaged on the way, the connection is broken off, as no answer could say that the message is not
 * whole; it is remembered, and refused at once the next time.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { DotEncoder } from '@mstore/net';
import { isStoreError, openListed, type StoredMessage, StoreError } from '@mstore/store';
import { limits } from './limits.ts';
import { withoutNul } from './nul.ts';
import { ok } from './reply.ts';
import type { Session } from './session.ts';

const lf = 10;

/** The message of a number, opened. @throws {StoreError} corrupt, noMessage */
export async function openMessage(session: Session, number: number): Promise<StoredMessage> {
  const { services, maildrop } = session;
  if (maildrop === undefined) throw new StoreError('noMessage', 'no maildrop');
  const { listing } = maildrop;
  const place = listing.place(number - 1);
  if (services.damaged.has(place.message)) {
    throw new StoreError('corrupt', `message ${place.message} was found damaged`, { message: place.message });
  }
  return openListed(services.reading, listing.mailbox, listing.uid(number - 1), place);
}

/**
 * Answers with `text` and octets of the message of a number.
 * @throws {StoreError} corrupt, while nothing was said yet
 * @throws {PeerError} gone, timeout
 */
export async function sendOctets(
  session: Session,
  number: number,
  text: string,
  octets: AsyncIterator<Buffer>,
): Promise<void> {
  const { connection } = session;
  const gathered: Buffer[] = [];
  let bytes = 0;
  let next = await octets.next();
  for (; next.done !== true && bytes + next.value.length <= limits.gatherBytes; next = await octets.next()) {
    gathered.push(next.value);
    bytes += next.value.length;
  }
  connection.write(ok(text));
  const encoder = new DotEncoder();
  for (const piece of gathered) await sendPiece(session, encoder, piece);
  while (next.done !== true) {
    // The next piece is read while this one is sent.
    const ahead = octets.next();
    ahead.catch(() => undefined);
    await sendPiece(session, encoder, next.value);
    next = await ahead.catch((error: unknown) => breakOff(session, number, error));
  }
  await connection.write(encoder.finish());
}

async function sendPiece(session: Session, encoder: DotEncoder, piece: Buffer): Promise<void> {
  for (let at = 0; at < piece.length; at += limits.gatherBytes) {
    const octets = at === 0 && piece.length <= limits.gatherBytes ? piece : piece.subarray(at, at + limits.gatherBytes);
    for (const output of encoder.push(session.services.replacesNul ? withoutNul(octets) : octets)) {
      const room = session.connection.write(output);
      if (room !== undefined) await room;
    }
  }
}

/** Ends a session in the middle of a message. */
function breakOff(session: Session, number: number, error: unknown): never {
  const place = session.maildrop?.listing.place(number - 1);
  if (place !== undefined && isStoreError(error, 'corrupt')) session.services.damaged.add(place.message);
  throw new Error('a message broke off', { cause: error });
}

/** The header with its blank line, and the first `lines` lines behind it (RFC 1939 §7, TOP). */
export async function* topOctets(message: StoredMessage, lines: number): AsyncGenerator<Buffer> {
  yield* message.octets(0, message.headerBytes);
  let left = lines;
  if (left === 0) return;
  for await (const octets of message.octets(message.headerBytes)) {
    for (let from = 0; from < octets.length; from += limits.countBytes) {
      const piece = octets.subarray(from, from + limits.countBytes);
      const { end, seen } = afterLines(piece, left);
      left -= seen;
      yield left === 0 ? piece.subarray(0, end) : piece;
      if (left === 0) return;
      await turn();
    }
  }
}

/** Where the line of that number ends in these octets, and how many ended; stored mail has LF only at the end of a line. */
function afterLines(octets: Buffer, most: number): { readonly end: number; readonly seen: number } {
  let end = 0;
  let seen = 0;
  while (seen < most) {
    const at = octets.indexOf(lf, end);
    if (at === -1) break;
    end = at + 1;
    seen += 1;
  }
  return { end, seen };
}
