/**
 * What threads are made from, of all messages of a THREAD: sent date, base subject and Message-IDs, read from the catalog. Messages are
 * known by their place in the order of their numbers.
 *
 * Takes 17 octets a message, and for each subject what `TextNumbers` takes.
 */

import { baseSubject } from '../sorting/base-subject.ts';
import { casemapped } from '../sorting/casemap.ts';
import { NumberColumn } from '../sorting/columns.ts';
import type { ListedMessage } from '../sorting/listed-messages.ts';
import { sentDate, subjectText } from '../sorting/sort-keys.ts';
import type { Turns } from '../sorting/turns.ts';
import { TextNumbers } from './text-numbers.ts';

/** The number of the empty subject. */
export const noSubject = 0;

export class ThreadFacts {
  readonly dates: NumberColumn;
  /** By place: UIDs or message numbers, as the answer tells them. */
  readonly names: Uint32Array;
  /** By place: alike for the same base subject. */
  readonly subjects: Uint32Array;
  /** By place: 1 for what is a reply or forwarded by its subject. */
  readonly areReplies: Uint8Array;
  readonly #subjectNumbers = new TextNumbers();
  #count = 0;

  constructor(capacity: number) {
    this.dates = new NumberColumn(capacity);
    this.names = new Uint32Array(capacity);
    this.subjects = new Uint32Array(capacity);
    this.areReplies = new Uint8Array(capacity);
    this.#subjectNumbers.numberFor('');
  }

  get count(): number {
    return this.#count;
  }

  /** Numbers of subjects are below this. */
  get subjectCount(): number {
    return this.#subjectNumbers.count;
  }

  /** Makes room for so many more messages. */
  async reserve(messages: number, pace: Turns): Promise<void> {
    await this.#subjectNumbers.reserve(messages, pace);
  }

  /** The next message, which the answer calls so; there must be room. */
  add(message: ListedMessage, name: number): void {
    const { text, isReply } = baseSubject(subjectText(message));
    const place = this.#count;
    this.dates.add(sentDate(message));
    this.names[place] = name;
    this.subjects[place] = this.#subjectNumbers.numberFor(casemapped(text));
    this.areReplies[place] = isReply ? 1 : 0;
    this.#count += 1;
  }
}
