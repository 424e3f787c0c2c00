/** CAPABILITY, NOOP, LOGOUT (RFC 9051 §6.1), ENABLE (§6.3.1, RFC 5161) and NAMESPACE (§6.3.10). */
import { capabilityLine, extensions } from '../capability.ts';
import { useModSeqs } from '../mod-seqs.ts';
import { type Completion, completed } from '../reply.ts';
import type { Session } from '../session.ts';
import type { Decoder } from '../wire/decoder.ts';

export function capability(session: Session): Completion {
  session.say(`* ${capabilityLine(session.services, session.state !== 'anonymous')}\r\n`);
  return completed('that is what there is');
}

/** What happened in the selected mailbox is told behind every command. */
export function noop(): Completion {
  return completed('nothing done');
}

export function logout(session: Session): Completion {
  session.say('* BYE see you\r\n');
  session.isOver = true;
  session.end = 'logout';
  return completed('logged out');
}

export function expectExtensions(decoder: Decoder): readonly string[] {
  const names: string[] = [];
  do names.push(decoder.expectAtom('the name of an extension').toUpperCase());
  while (!decoder.hasFailed && decoder.tryMore());
  return names;
}

/** Names that mean nothing here are passed over, as RFC 5161 wants; what was enabled before is not told again. */
export function enable(session: Session, names: readonly string[]): Completion {
  const { enabled } = session;
  const asked = new Set(names);
  const added = [...extensions].filter((name) => asked.has(name.toUpperCase()) && !enabled.has(name));
  for (const name of added) enabled.add(name);
  session.say(`* ENABLED${added.map((name) => ` ${name}`).join('')}\r\n`);
  // QRESYNC is CONDSTORE and more (RFC 7162 §3.2.3).
  if (enabled.has('CONDSTORE') || enabled.has('QRESYNC')) useModSeqs(session);
  return completed('enabled what is known');
}

/** One personal namespace, without a prefix; nobody else's mailboxes, and no shared ones. */
export function namespace(session: Session): Completion {
  session.say('* NAMESPACE (("" "/")) NIL NIL\r\n');
  return completed('all mailboxes are here');
}
