/** What a message is sorted by (RFC 5256 §3, RFC 5957 §3), read from its entry and its envelope. */
import { limits } from '../limits.ts';
import { decodedText } from '../search/header-text.ts';
import type { SortArguments, SortKey } from '../wire/search-arguments.ts';
import { baseSubject } from './base-subject.ts';
import { casemapped } from './casemap.ts';
import { type Column, type Compare, NumberColumn, TextColumn } from './columns.ts';
import { type EnvelopeAddress, EnvelopeReader } from './envelope-reader.ts';
import type { ListedMessage } from './listed-messages.ts';
import { parseSentDate } from './sent-date.ts';

/** Characters of a Date field: more are none. */
const dateBytes = 200;

/** Keys that are not in the entry. */
const ofHeader: readonly SortKey[] = ['CC', 'DATE', 'DISPLAYFROM', 'DISPLAYTO', 'FROM', 'SUBJECT', 'TO'];

export function needsHeaders(order: SortArguments['order']): boolean {
  return order.some(({ by }) => ofHeader.includes(by));
}

/** Seconds since 1970: the Date field's, or else when the message arrived. */
export function sentDate({ header, entry }: ListedMessage): number {
  return parseSentDate(new EnvelopeReader(header.envelope).string(dateBytes)) ?? entry.internalDate;
}

/** The subject with its encoded words decoded. */
export function subjectText({ header }: ListedMessage): string {
  const reader = new EnvelopeReader(header.envelope);
  reader.skip();
  return decodedText(reader.string(limits.subjectBytes));
}

/** Values of an envelope in front of each list of addresses. */
const valuesBefore = { FROM: 2, DISPLAYFROM: 2, TO: 5, DISPLAYTO: 5, CC: 6 } as const;

function firstAddress({ header }: ListedMessage, of: keyof typeof valuesBefore): EnvelopeAddress | undefined {
  const reader = new EnvelopeReader(header.envelope);
  for (let count = valuesBefore[of]; count > 0; count -= 1) reader.skip();
  return reader.firstAddress(limits.subjectBytes);
}

/** What people see of an address (RFC 5957 §3): its name, or else all of it. */
function shown({ name, mailbox, host }: EnvelopeAddress): string {
  const text = decodedText(name).trim();
  return text === '' ? decodedText(host === '' ? mailbox : `${mailbox}@${host}`) : text;
}

interface KeyColumn {
  readonly compare: Compare;
  readonly add: (message: ListedMessage) => void;
}

function keyColumn<Value>(column: Column<Value>, read: (message: ListedMessage) => Value): KeyColumn {
  return { compare: column.compare, add: (message) => column.add(read(message)) };
}

function columnOf(by: SortKey, capacity: number): KeyColumn {
  switch (by) {
    case 'ARRIVAL':
      return keyColumn(new NumberColumn(capacity), ({ entry }) => entry.internalDate);
    case 'DATE':
      return keyColumn(new NumberColumn(capacity), sentDate);
    case 'SIZE':
      return keyColumn(new NumberColumn(capacity), ({ entry }) => entry.size);
    case 'SUBJECT':
      return keyColumn(new TextColumn(capacity, limits.sortSubjectBytes), (message) =>
        casemapped(baseSubject(subjectText(message)).text),
      );
    case 'DISPLAYFROM':
    case 'DISPLAYTO':
      return keyColumn(new TextColumn(capacity, limits.sortSubjectBytes), (message) => {
        const address = firstAddress(message, by);
        return address === undefined ? '' : casemapped(shown(address));
      });
    default:
      return keyColumn(new TextColumn(capacity, limits.sortMailboxBytes), (message) =>
        casemapped(decodedText(firstAddress(message, by)?.mailbox ?? '')),
      );
  }
}

/** The keys of messages that are to be sorted, and their order by them. */
export class SortKeys {
  readonly #columns: readonly KeyColumn[];
  readonly compare: Compare;

  constructor(order: SortArguments['order'], capacity: number) {
    // What stands there again would be asked of messages that are alike in it.
    const distinct = order.filter(({ by }, at) => order.findIndex((earlier) => earlier.by === by) === at);
    this.#columns = distinct.map(({ by }) => columnOf(by, capacity));
    const compares = this.#columns.map(({ compare }, at): Compare => {
      return distinct[at]?.isReverse === true ? (one, other) => compare(other, one) : compare;
    });
    const [first = () => 0, ...others] = compares;
    this.compare = others.length === 0 ? first : inTurn([first, ...others]);
  }

  /** The next message. */
  add(message: ListedMessage): void {
    for (const column of this.#columns) column.add(message);
  }
}

function inTurn(compares: readonly Compare[]): Compare {
  return (one, other) => {
    for (const compare of compares) {
      const difference = compare(one, other);
      if (difference !== 0) return difference;
    }
    return 0;
  };
}
