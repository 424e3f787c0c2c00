/**
 * Sections that are too large to be held, on their way to a client. Where one turns out damaged once something was sent, the connection is
 * broken off, as no octet could say that the literal is not whole; the message is remembered, and refused at once the next
 * time.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { isPeerError } from '@mstore/net';
import { isStoreError } from '@mstore/store';
import { limits } from './limits.ts';
import type { MessageSource } from './message-source.ts';
import type { Session } from './session.ts';

/** Octets of a known number that are still to be read. */
export interface Unread {
  readonly from: number;
  readonly to: number;
  octets(from: number, to: number): AsyncGenerator<Buffer>;
  /** They may hold NUL. */
  readonly isBinary: boolean;
}

/** Sends the octets as fast as they are taken. @throws whatever kept them from being sent whole */
export async function streamed(session: Session, { from, to, octets: read, isBinary }: Unread): Promise<void> {
  for await (const octets of read(from, to)) {
    for (let at = 0; at < octets.length; at += limits.gatherBytes) {
      const piece = octets.subarray(at, at + limits.gatherBytes);
      await session.say(isBinary ? piece : withoutNul(piece));
      await turn();
    }
  }
}

/** What ends the session where a line was sent in part: any answer would be taken for the rest of it. */
export function brokenOff(source: MessageSource, error: unknown): unknown {
  if (isPeerError(error)) return error;
  if (isStoreError(error, 'corrupt')) source.markDamaged();
  return new Error('a message broke off', { cause: error });
}

/** The octets with 0x80 for NUL, which no literal may hold; the same buffer when there is none. */
function withoutNul(octets: Buffer): Buffer {
  let at = octets.indexOf(0);
  if (at === -1) return octets;
  const copy = Buffer.from(octets);
  for (; at !== -1; at = copy.indexOf(0, at + 1)) copy[at] = 0x80;
  return copy;
}
