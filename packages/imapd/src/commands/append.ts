/**
 * APPEND (RFC 9051 §6.3.12) of one message or several (RFC 3502), all or none. What can be refused before the octets come is; they
 * go on to the writer as they come in, and nothing is stored until the last of them is there.
 */
import type { AppendMessage, MailboxId, TakenMessage } from '@mstore/store';
import { isStoreError, UidSet } from '@mstore/store';
import { RefusedError, refusals, syntaxError, unreadable } from '../errors.ts';
import { limits } from '../limits.ts';
import { type Completion, completed } from '../reply.ts';
import { flagsOf, type NamedFlags } from '../responses/flags.ts';
import type { Session } from '../session.ts';
import { Decoder } from '../wire/decoder.ts';
import { type AppendArguments, type AppendItem, expectAppendItem } from '../wire/mailbox-arguments.ts';
import { targetOf } from './copies.ts';

const cr = 13;
const lf = 10;

export async function append(session: Session, { mailbox, first }: AppendArguments): Promise<Completion | undefined> {
  const target = targetOf(session, mailbox);
  const taken: TakenMessage[] = [];
  let isPlaced = false;
  try {
    const messages = await takeAll(session, first, taken);
    if (messages === undefined) return undefined;
    const done = await place(session, target, messages);
    isPlaced = true;
    return done;
  } finally {
    // Also of a client that went away before the end of its command.
    if (!isPlaced) for (const message of taken) session.services.writer.discard(message);
  }
}

/** Takes message after message; undefined when the connection ended. */
async function takeAll(
  session: Session,
  first: AppendItem,
  taken: TakenMessage[],
): Promise<readonly AppendMessage[] | undefined> {
  const messages: AppendMessage[] = [];
  let bytes = 0;
  for (let item: AppendItem | undefined = first; item !== undefined; ) {
    bytes += item.message.bytes;
    const named = admitted(session, item, bytes, messages.length);
    // What is said to be binary is kept as it is or not at all; of text the store makes CRLF.
    const lineEnds = item.message.isBinary && !item.isInParentheses ? new LineEnds() : undefined;
    const octets = session.commands.message();
    // Most commands bring one message: its place is asked for before the writer has said that it took it.
    const early = messages.length === 0;
    const message = await session.services.writer.take(lineEnds?.watched(octets) ?? octets, { early });
    taken.push(message);
    if (lineEnds?.hasBareLf === true) throw new RefusedError(refusals.bareLineFeed);
    const { internalDate } = item;
    messages.push({ message, ...named, ...(internalDate !== undefined && { internalDate }) });
    const segment = await session.commands.behindMessage();
    if (segment === undefined) return undefined;
    item = nextItem(session, new Decoder([segment], session.isUtf8), item);
  }
  return messages;
}

/** What stands behind a message: another, or the end. @throws {RefusedError} */
function nextItem(session: Session, decoder: Decoder, { isInParentheses }: AppendItem): AppendItem | undefined {
  if (isInParentheses) decoder.expectChar(')');
  const item = decoder.tryMore() ? expectAppendItem(decoder) : undefined;
  if (decoder.expectEnd()) return item;
  const { kind, why, at } = decoder.failure ?? { kind: 'syntax', why: 'expected another message', at: 0 };
  session.services.log.debug('append not understood', { session: session.entry.id, why });
  throw new RefusedError(kind === 'syntax' ? syntaxError(why, at) : unreadable(kind, why));
}

/** Looks for LF without CR in octets that pass. */
class LineEnds {
  hasBareLf = false;

  async *watched(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let last = 0;
    for await (const octets of pieces) {
      for (let at = octets.indexOf(lf); at !== -1 && !this.hasBareLf; at = octets.indexOf(lf, at + 1)) {
        this.hasBareLf = (at === 0 ? last : octets[at - 1]) !== cr;
      }
      last = octets.at(-1) ?? last;
      yield octets;
    }
  }
}

/** What is refused before the octets come. `bytes`: of all messages so far. @throws {RefusedError} */
function admitted(
  { services, account }: Session,
  { message, flags }: AppendItem,
  bytes: number,
  before: number,
): NamedFlags {
  if (message.bytes === 0) throw new RefusedError(refusals.emptyMessage);
  if (message.bytes > services.messageBytes) throw new RefusedError(refusals.messageTooLarge);
  if (before >= limits.appendMessages || (before > 0 && bytes > limits.appendBytes))
    throw new RefusedError(refusals.tooManyMessages);
  const row = services.reading.catalog().account(account);
  const hasRoom = (used: number, quota: number): boolean => quota === 0 || used <= quota;
  if (
    row !== undefined &&
    !(hasRoom(row.bytes + bytes, row.quotaBytes) && hasRoom(row.messages + before + 1, row.quotaMessages))
  ) {
    throw new RefusedError(refusals.overQuota);
  }
  const named = flagsOf(flags);
  if (named === undefined) throw new RefusedError(refusals.noSuchFlag);
  return named;
}

async function place(session: Session, target: MailboxId, messages: readonly AppendMessage[]): Promise<Completion> {
  try {
    const placed = await session.services.writer.append(target, messages);
    const uids = UidSet.of(placed.map(({ uid }) => uid));
    return completed('appended', `APPENDUID ${placed[0]?.uidValidity ?? 0} ${uids}`);
  } catch (error) {
    // It went while the messages came.
    throw isStoreError(error, 'noMailbox') ? new RefusedError(refusals.tryCreate) : error;
  }
}
