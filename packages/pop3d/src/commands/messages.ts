/** Messages, whole and in part: RETR and TOP (RFC 1939 §5, §7). */
import { openMessage, sendOctets, topOctets } from '../outgoing.ts';
import { quickReply } from '../quick-reply.ts';
import type { Session } from '../session.ts';
import { checked, refuse } from './listings.ts';

export function retr(session: Session, number: number): Promise<void> | undefined {
  if (checked(session, number) === undefined) return refuse(session, number);
  const reply = quickReply(session, number);
  if (reply === undefined) return retrieve(session, number);
  session.retrieved += 1;
  return session.connection.write(reply);
}

export function top(
  session: Session,
  { number, lines }: { readonly number: number; readonly lines: number },
): Promise<void> | undefined {
  return checked(session, number) === undefined ? refuse(session, number) : showTop(session, number, lines);
}

async function retrieve(session: Session, number: number): Promise<void> {
  const message = await openMessage(session, number);
  await sendOctets(session, number, `${message.size} octets`, message.octets());
  session.retrieved += 1;
}

async function showTop(session: Session, number: number, lines: number): Promise<void> {
  const message = await openMessage(session, number);
  await sendOctets(session, number, 'top of the message follows', topOctets(message, lines));
}
