/** CAPA (RFC 2449 §5), NOOP and QUIT (RFC 1939 §4, §6). */
import { type AccountId, brandNumber } from '@mstore/store';
import { refusalFor, refusals } from '../errors.ts';
import { lines, ok } from '../reply.ts';
import type { Session } from '../session.ts';

export function capa(session: Session): Promise<void> | undefined {
  const account = session.user === undefined ? undefined : brandNumber<AccountId>(session.user.id);
  return session.say(lines('capabilities follow', session.services.capabilities(account)));
}

export function noop(session: Session): Promise<void> | undefined {
  return session.say(ok('nothing done'));
}

export function quit(session: Session): Promise<void> | undefined {
  session.isOver = true;
  session.end = 'quit';
  return (session.maildrop?.marked ?? 0) > 0 ? update(session) : session.say(ok('bye'));
}

/** The UPDATE state: what is marked goes, in one intent. What is not answered is not asked again; it may have been done. */
async function update(session: Session): Promise<void> {
  const { maildrop, services } = session;
  if (maildrop === undefined) return;
  try {
    const { expunged } = await services.writer.expunge(maildrop.listing.mailbox, maildrop.markedUids(), false);
    session.expunged = expunged.size;
    await session.say(ok('bye'));
  } catch (error) {
    if (refusalFor(error) === undefined) throw error;
    services.log.error('not expunged', { session: session.entry.id, messages: maildrop.marked }, error);
    await session.refuse(refusals.notExpunged);
  }
}
