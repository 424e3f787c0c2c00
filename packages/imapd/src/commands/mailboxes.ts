/** CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8). */
import { inbox, type MailboxRole } from '@mstore/store';
import { RefusedError, refusals } from '../errors.ts';
import { mailboxIdText, namedMailbox } from '../mailbox.ts';
import { type Completion, completed } from '../reply.ts';
import { roleOfUse } from '../responses/special-use.ts';
import type { Session } from '../session.ts';
import type { CreateArguments } from '../wire/mailbox-arguments.ts';

/** What stands above the name is not made: a level that is none lists as `\NonExistent`. */
export async function create(session: Session, { mailbox: given, uses }: CreateArguments): Promise<Completion> {
  // A separator at the end only says that there will be mailboxes below.
  const name = given.endsWith('/') ? given.slice(0, -1) : given;
  if (name === inbox) throw new RefusedError(refusals.inboxExists);
  const role = roleOf(session, uses);
  const { mailbox } = await session.services.writer.createMailbox(session.account, name, role);
  return completed('created', `MAILBOXID (${mailboxIdText(mailbox)})`);
}

/** One role a mailbox, and one mailbox a role: two would leave clients in doubt (RFC 6154 §3). */
function roleOf(session: Session, uses: readonly string[]): MailboxRole {
  const [use, ...others] = uses;
  if (use === undefined) return '';
  const role = roleOfUse(use);
  if (role === undefined || others.length > 0) throw new RefusedError(refusals.noSuchUse);
  for (const { row } of session.services.reading.catalog().mailboxes(session.account)) {
    if (row.role === role) throw new RefusedError(refusals.noSuchUse);
  }
  return role;
}

/** What lies below stays where it is. */
export async function remove(session: Session, name: string): Promise<Completion> {
  if (name === inbox) throw new RefusedError(refusals.inboxStays);
  const { id } = namedMailbox(session, name);
  await session.services.writer.deleteMailbox(id);
  if (session.selected?.mailbox === id) session.selected = undefined;
  return completed('deleted');
}

/** With all below; INBOX stays, and its messages go to the new mailbox. */
export async function rename(
  session: Session,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<Completion> {
  const { id } = namedMailbox(session, from);
  if (to === inbox) throw new RefusedError(refusals.inboxExists);
  await session.services.writer.renameMailbox(id, to.endsWith('/') ? to.slice(0, -1) : to);
  return completed('renamed');
}

/** Also to a name that no mailbox has. */
export async function subscribe(session: Session, name: string): Promise<Completion> {
  await session.services.writer.subscribe(session.account, name, true);
  return completed('subscribed');
}

export async function unsubscribe(session: Session, name: string): Promise<Completion> {
  await session.services.writer.subscribe(session.account, name, false);
  return completed('not subscribed any more');
}
