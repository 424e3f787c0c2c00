/** SELECT, EXAMINE (RFC 9051 §6.3.2, §6.3.3, RFC 7162 §3.2.5), CLOSE and UNSELECT (§6.4.1, §6.4.2). */
import { type Catalog, type MailboxId, type NamedMailbox, pageUids, UidSet } from '@mstore/store';
import { expungeDeleted } from '../deleted-uids.ts';
import { RefusedError, refusals } from '../errors.ts';
import { flagLines } from '../keywords.ts';
import { mailboxIdText, mailboxIn } from '../mailbox.ts';
import { type Completion, completed, untaggedOk } from '../reply.ts';
import { writeList } from '../responses/list-line.ts';
import { resynchronise } from '../resync.ts';
import type { Selected } from '../selected.ts';
import type { Session } from '../session.ts';
import { existsLines } from '../updates.ts';
import type { SelectArguments } from '../wire/mailbox-arguments.ts';

const uidMax = 0xffff_ffff;

export function select(session: Session, args: SelectArguments): Promise<Completion> {
  return open(session, args, false);
}

export function examine(session: Session, args: SelectArguments): Promise<Completion> {
  return open(session, args, true);
}

/** What was selected before is left, also when the new one cannot be had. */
async function open(session: Session, args: SelectArguments, isReadOnly: boolean): Promise<Completion> {
  const { services, account } = session;
  if (args.quickResync !== undefined && !session.wantsVanished) throw new RefusedError(refusals.notEnabled);
  if (args.condStore) session.wantsModSeqs = true;
  if (session.selected !== undefined) {
    session.selected = undefined;
    session.say(untaggedOk('the mailbox before is left', 'CLOSED'));
  }
  // What was delivered and answered before this command is there.
  await services.reading.catchUp();
  const catalog = services.reading.catalog();
  const found = mailboxIn(catalog, account, args.mailbox);
  const selected = selectedOf(session, catalog, found, isReadOnly);
  session.selected = selected;
  session.entry.mailbox = args.mailbox;
  await session.say(answerOf(session, catalog, found, selected));
  if (session.isRev2) await session.say(listLine(session, found, args.given));
  // What a client remembers of another UIDVALIDITY means nothing.
  if (args.quickResync?.uidValidity === found.row.uidValidity) await resynchronise(session, selected, args.quickResync);
  return isReadOnly ? completed('to be read only', 'READ-ONLY') : completed('selected', 'READ-WRITE');
}

function selectedOf({ services }: Session, catalog: Catalog, { id, row }: NamedMailbox, isReadOnly: boolean): Selected {
  const selected: Selected = {
    mailbox: id,
    isReadOnly,
    view: services.views.of(catalog, id, row),
    modSeq: row.highestModSeq,
    modSeqFloor: row.modSeqFloor,
    uidNext: row.uidNext,
    keywordsTold: 0,
    recent: UidSet.empty,
    saved: UidSet.empty,
    ownSequences: new Set(),
    wake: () => undefined,
    leave: services.news.watch(id, row.highestModSeq, () => selected.wake()),
  };
  return selected;
}

function answerOf(session: Session, catalog: Catalog, { id, row }: NamedMailbox, selected: Selected): string {
  const keywords = catalog.keywords(id);
  selected.keywordsTold = keywords.length;
  // IMAP4rev2 has no UNSEEN code.
  const unseen = row.unseen === 0 || session.isRev2 ? 0 : selected.view.numberOf(firstUnseen(catalog, id));
  return [
    flagLines(keywords, selected.isReadOnly),
    existsLines(session, selected),
    unseen === 0 ? '' : untaggedOk('the first that is not seen', `UNSEEN ${unseen}`),
    untaggedOk('UIDs are good', `UIDVALIDITY ${row.uidValidity}`),
    untaggedOk('the next UID', `UIDNEXT ${row.uidNext}`),
    untaggedOk('the last change', `HIGHESTMODSEQ ${row.highestModSeq}`),
    untaggedOk('its id', `MAILBOXID (${mailboxIdText(id)})`),
  ].join('');
}

/** Its right name, for clients of IMAP4rev2 (RFC 9051 §6.3.2). */
function listLine(session: Session, mailbox: NamedMailbox, oldName: string | undefined): Buffer {
  const line = session.encoder();
  writeList(line, { name: mailbox.row.name, mailbox, oldName });
  return line.take();
}

/** The smallest UID that the owner has not seen; 0 when there is none. */
function firstUnseen(catalog: Catalog, mailbox: MailboxId): number {
  for (const [number, { unseen }] of catalog.uidPages(mailbox)) {
    for (const [at, octet] of unseen.entries()) {
      if (octet !== 0) return number * pageUids + at * 8 + Math.log2(octet & -octet);
    }
  }
  return 0;
}

/** Expunges what bears `\Deleted`, without a word, and leaves. HIGHESTMODSEQ would hide what went from the client (RFC 7162 §3.2.8). */
export async function close(session: Session): Promise<Completion> {
  const { selected, services } = session;
  if (selected?.isReadOnly !== false) return unselect(session);
  await expungeDeleted(services, selected.mailbox, UidSet.range(1, uidMax));
  session.selected = undefined;
  return completed('left, and rid of what was deleted');
}

export function unselect(session: Session): Completion {
  session.selected = undefined;
  return completed('left');
}
