/**
 * The messages that a SORT or THREAD is about, in the order of their numbers, with what the catalog keeps of their headers. Only
 * of a message whose rows were too large to be kept is the header read from the heap; a damaged one has no header.
 */
import type { Derived, Entry, MessageRow, UidSet } from '@mstore/store';
import { entriesOf } from '../commands/fetch.ts';
import { limits } from '../limits.ts';
import { isDamage, MessageSource } from '../message-source.ts';
import type { Selected } from '../selected.ts';
import type { Session } from '../session.ts';
import type { Turns } from './turns.ts';

/** What is read of a header. */
export type Header = Pick<Derived, 'envelope' | 'listedFields'>;

export interface ListedMessage {
  readonly number: number;
  readonly entry: Entry;
  readonly header: Header;
}

/** What looking at a message's header counts as. */
export function headerWork({ envelope, listedFields }: Header): number {
  let work = limits.stepWork + envelope.length + listedFields.length;
  let at = envelope.indexOf(encodedWord);
  // Beyond a turn's work it does not matter how much it was.
  while (at !== -1 && work < limits.searchTurnWork) {
    work += limits.encodedWordWork;
    at = envelope.indexOf(encodedWord, at + encodedWord.length);
  }
  return work;
}

const encodedWord = '=?';
const noOctets = Buffer.alloc(0);
const noHeader: Header = { envelope: noOctets, listedFields: noOctets };

/**
 * The messages of the view that have one of these UIDs, in slices of one turn of the event loop each; those that are gone for
 * good are left out. Without `needsHeaders` nothing but the entries is read.
 */
export async function* listedMessages(
  session: Session,
  selected: Selected,
  uids: UidSet,
  needsHeaders: boolean,
  pace: Turns,
): AsyncGenerator<readonly ListedMessage[]> {
  let messages: (readonly [number, number])[] = [];
  for (const message of selected.view.messages(uids)) {
    messages.push(message);
    if (messages.length < limits.sliceMessages) continue;
    yield* slices(session, selected, messages, needsHeaders, pace);
    messages = [];
    await pace.turn();
  }
  yield* slices(session, selected, messages, needsHeaders, pace);
}

async function* slices(
  session: Session,
  selected: Selected,
  messages: readonly (readonly [number, number])[],
  needsHeaders: boolean,
  pace: Turns,
): AsyncGenerator<readonly ListedMessage[]> {
  const { reading } = session.services;
  // Taken anew behind each wait: a snapshot is the loop's for one turn.
  let catalog = reading.catalog();
  const entries = entriesOf(catalog, selected, messages);
  let slice: ListedMessage[] = [];
  let bytes = 0;
  for (const [number, uid] of messages) {
    const entry = entries.get(uid);
    if (entry === undefined) continue;
    const row = needsHeaders ? catalog.message(entry.message) : undefined;
    const isTooLarge = row?.derived === false;
    const header = isTooLarge ? await readAgain(session, selected, entry) : (row ?? noHeader);
    slice.push({ number, entry, header });
    bytes += rowBytes(row, header);
    if (bytes < limits.sliceRowBytes && !isTooLarge) continue;
    yield slice;
    slice = [];
    bytes = 0;
    await pace.turn();
    catalog = reading.catalog();
  }
  yield slice;
}

function rowBytes(row: MessageRow | undefined, { envelope, listedFields }: Header): number {
  return envelope.length + listedFields.length + (row?.bodyStructure.length ?? 0);
}

async function readAgain(session: Session, { mailbox }: Selected, entry: Entry): Promise<Header> {
  const { services } = session;
  try {
    const source = new MessageSource(services, services.reading.catalog(), mailbox, entry);
    return { envelope: await source.envelope(), listedFields: await source.listedFields() };
  } catch (error) {
    if (!isDamage(error, services, mailbox, entry.uid)) return noHeader;
    services.log.error('message damaged', { session: session.entry.id, uid: entry.uid }, error);
    return noHeader;
  }
}
