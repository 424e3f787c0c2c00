/** CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8). */
import { inbox, type MailboxRole, type NamedMailbox } from '@mstore/store';
import { RefusedError, refusals } from '../errors.ts';
import { mailboxIdText, namedMailbox } from '../mailbox.ts';
import { type Completion, completed } from '../reply.ts';
import { writeList } from '../responses/list-line.ts';
import { roleOfUse } from '../responses/special-use.ts';
import type { Session } from '../session.ts';
import type { CreateArguments, RenameArguments } from '../wire/mailbox-arguments.ts';
import type { GivenName } from '../wire/mailbox-name.ts';

/** What stands above the name is not made: a level that is none lists as `\NonExistent`. */
export async function create(session: Session, { mailbox: named, given, uses }: CreateArguments): Promise<Completion> {
  // A separator at the end only says that there will be mailboxes below.
  const name = withoutSeparator(named);
  if (name === inbox) throw new RefusedError(refusals.inboxExists);
  const role = roleOf(session, uses);
  const { mailbox } = await session.services.writer.createMailbox(session.account, name, role);
  await tellNames(session, name, [given]);
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
export async function remove(session: Session, { mailbox: name, given }: GivenName): Promise<Completion> {
  if (name === inbox) throw new RefusedError(refusals.inboxStays);
  const { id } = namedMailbox(session, name);
  await session.services.writer.deleteMailbox(id);
  if (session.selected?.mailbox === id) session.selected = undefined;
  await tellNames(session, name, [given]);
  return completed('deleted');
}

/** With all below; INBOX stays, and its messages go to the new mailbox. */
export async function rename(session: Session, { from, to }: RenameArguments): Promise<Completion> {
  const { id } = namedMailbox(session, from);
  if (to.mailbox === inbox) throw new RefusedError(refusals.inboxExists);
  const name = withoutSeparator(to.mailbox);
  await session.services.writer.renameMailbox(id, name);
  await tellNames(session, name, [from === inbox ? undefined : from, to.given]);
  return completed('renamed');
}

function withoutSeparator(name: string): string {
  return name.endsWith('/') ? name.slice(0, -1) : name;
}

/** What a mailbox was called before, to clients of IMAP4rev2 (RFC 9051 §6.3.9.7). */
async function tellNames(session: Session, name: string, oldNames: readonly (string | undefined)[]): Promise<void> {
  if (!session.isRev2 || oldNames.every((oldName) => oldName === undefined)) return;
  const found = session.services.reading.catalog().mailboxNamed(session.account, name);
  const mailbox: NamedMailbox | undefined = found?.row.deleted === true ? undefined : found;
  const lines = session.encoder();
  for (const oldName of oldNames) if (oldName !== undefined) writeList(lines, { name, mailbox, oldName });
  await session.say(lines.take());
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
