/**
 * COMPRESS (RFC 4978): from the line behind its OK on, both sides speak raw DEFLATE. What a client sends behind the command without
 * waiting for that would be read as the wrong one of the two, and so the command is refused then.
 */
import { deflated } from '@mstore/net';
import { RefusedError, refusals } from '../errors.ts';
import { limits } from '../limits.ts';
import { completed, taggedOk } from '../reply.ts';
import type { Session } from '../session.ts';
import { tellChanges } from '../updates.ts';
import type { Decoder } from '../wire/decoder.ts';

/** The name of the algorithm, in capitals. */
export function expectAlgorithm(decoder: Decoder): string {
  return decoder.expectAtom('an algorithm').toUpperCase();
}

/** @throws {RefusedError} what was asked cannot be done */
export async function compress(session: Session, algorithm: string, tag: string): Promise<undefined> {
  const { connection, lines, services } = session;
  if (algorithm !== 'DEFLATE') throw new RefusedError(refusals.noAlgorithm);
  if (session.isCompressed) throw new RefusedError(refusals.isCompressed);
  lines.release();
  if (connection.unreadBytes > 0) throw new RefusedError(refusals.tooEarly);
  if (services.compressed.count >= limits.compressedConnections) throw new RefusedError(refusals.tooManyCompressed);
  session.isCompressed = true;
  services.compressed.count += 1;
  connection.closed.then(() => {
    services.compressed.count -= 1;
  });
  await tellChanges(session);
  if (session.isOver) return;
  session.succeed();
  await session.say(taggedOk(tag, completed('compressed from here on')));
  await connection.upgrade(deflated);
}
