/** COPY, MOVE (RFC 9051 §6.4.7, §6.4.8), EXPUNGE and UID EXPUNGE (§6.4.3, RFC 4315). */
import { UidSet } from '@mstore/store';
import { expungeDeleted } from '../deleted-uids.ts';
import { RefusedError, refusals } from '../errors.ts';
import { namedMailbox } from '../mailbox.ts';
import { type Numbering, namedUids, selectedOf } from '../message-set.ts';
import { highestModSeqCode } from '../mod-seqs.ts';
import { type Completion, completed, untaggedOk } from '../reply.ts';
import type { Session } from '../session.ts';
import { tellChanges } from '../updates.ts';
import type { Decoder } from '../wire/decoder.ts';
import { expectMailbox } from '../wire/mailbox-name.ts';
import { expectMessageSet, type MessageSet } from '../wire/sequence-set.ts';

interface CopyArguments {
  readonly messages: MessageSet;
  readonly mailbox: string;
}

export function expectCopy(decoder: Decoder): CopyArguments {
  const messages = expectMessageSet(decoder);
  decoder.expectSpace('a mailbox name');
  return { messages, mailbox: expectMailbox(decoder) };
}

export function copy(session: Session, args: CopyArguments): Promise<Completion> {
  return transfer(session, args, 'sequence', 'copy');
}

export function uidCopy(session: Session, args: CopyArguments): Promise<Completion> {
  return transfer(session, args, 'uid', 'copy');
}

export function move(session: Session, args: CopyArguments): Promise<Completion> {
  return transfer(session, args, 'sequence', 'move');
}

export function uidMove(session: Session, args: CopyArguments): Promise<Completion> {
  return transfer(session, args, 'uid', 'move');
}

/** Messages that are gone meanwhile are left out, and that is no failure. */
async function transfer(
  session: Session,
  { messages, mailbox: name }: CopyArguments,
  numbering: Numbering,
  how: 'copy' | 'move',
): Promise<Completion> {
  const selected = selectedOf(session);
  if (how === 'move' && selected.isReadOnly) throw new RefusedError(refusals.readOnly);
  const uids = namedUids(selected, messages, numbering);
  const target = targetOf(session, name);
  const { uidValidity, pairs } = await session.services.writer[how](selected.mailbox, uids, target);
  if (pairs.length === 0) return completed('there was nothing left of it');
  const from = UidSet.of(pairs.map(([uid]) => uid));
  const to = UidSet.of(pairs.map(([, uid]) => uid));
  const code = `COPYUID ${uidValidity} ${from} ${to}`;
  if (how === 'copy') return completed('copied', code);
  // RFC 6851 §4.3: before the EXPUNGEs.
  await session.say(untaggedOk('moved', code));
  return completedUpToHere(session, 'moved');
}

/** A mailbox to put messages into. @throws {RefusedError} tryCreate */
export function targetOf(session: Session, name: string): ReturnType<typeof namedMailbox>['id'] {
  try {
    return namedMailbox(session, name).id;
  } catch (error) {
    if (error instanceof RefusedError && error.refusal === refusals.noMailbox)
      throw new RefusedError(refusals.tryCreate);
    throw error;
  }
}

export function expunge(session: Session): Promise<Completion> {
  return expungeOf(session, UidSet.range(1, selectedOf(session).uidNext - 1));
}

export function uidExpunge(session: Session, set: MessageSet): Promise<Completion> {
  return expungeOf(session, namedUids(selectedOf(session), set, 'uid'));
}

/** What bears `\Deleted` among these; each is told with its number behind the command, as what others expunge is. */
async function expungeOf(session: Session, uids: UidSet): Promise<Completion> {
  const { mailbox, isReadOnly } = selectedOf(session);
  if (isReadOnly) throw new RefusedError(refusals.readOnly);
  const isAny = await expungeDeleted(session.services, mailbox, uids);
  return isAny ? completedUpToHere(session, 'expunged') : completed('expunged');
}

/** Tells what went before the command ends, and so up to which MODSEQ all is told (RFC 7162 §3.2.7, §3.2.9). */
async function completedUpToHere(session: Session, text: string): Promise<Completion> {
  if (!session.wantsModSeqs) return completed(text);
  await tellChanges(session);
  return completed(text, highestModSeqCode(selectedOf(session).modSeq));
}
