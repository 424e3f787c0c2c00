/**
 * Keys that a message's row in the catalog decides without an octet of the heap: header fields that clients list, and the day in
 * the Date field.
 */
import { fieldTexts } from '@mstore/store';
import { limits } from '../limits.ts';
import { comparingWork } from './folded-text.ts';
import { encodedWork, foldedValues } from './header-text.ts';
import { isRelated, type Leaf, leavesOf, reduced, type Tree } from './key-tree.ts';
import { PlainText } from './plain-fields.ts';
import { sentDay } from './sent-day.ts';

/** Comparing octets where they lie, to making text of them and comparing that. */
const plainShare = 8;

const dateField: ReadonlySet<string> = new Set(['date']);

function charsIn(values: readonly string[]): number {
  let chars = 0;
  for (const value of values) chars += value.length;
  return chars;
}

/** True when a message whose Date is not readable belongs to no day. */
export function sentDayHolds(header: Buffer, { relation, day }: Extract<Leaf, { kind: 'sent' }>): boolean {
  const field = fieldTexts(header, dateField).get('date')?.[0];
  const sent = field === undefined ? undefined : sentDay(field);
  return sent !== undefined && isRelated(sent, relation, day);
}

/** Keys of a tree that a row may decide: which, and what they cost. */
export class RowKeys {
  /** Work for each character of the fields: at most, and where they are plain. */
  readonly #weight: number;
  readonly #plainWeight: number;
  readonly #plain = new Map<Leaf, PlainText>();
  readonly isNone: boolean;

  constructor(tree: Tree) {
    let weight = 0;
    let plainWeight = 0;
    for (const leaf of new Set(leavesOf(tree))) {
      if (leaf.kind === 'sent') {
        weight += 1;
        plainWeight += 1;
      } else if (leaf.kind === 'field' && leaf.isListed) {
        weight += 16 + comparingWork(1, leaf.text);
        plainWeight += comparingWork(1, leaf.text) / plainShare;
        this.#plain.set(leaf, new PlainText(leaf.name, leaf.text));
      }
    }
    this.#weight = weight;
    this.#plainWeight = plainWeight;
    this.isNone = weight === 0;
  }

  /** The most that deciding by these fields may take. */
  work(listedFields: Buffer): number {
    return limits.searchRowWork + listedFields.length * this.#weight;
  }

  /** The tree less what the fields decide; `worked` is told what it took. */
  decide(tree: Tree, listedFields: Buffer, worked: (work: number) => void): Tree {
    let work = limits.searchEntryWork + listedFields.length * this.#plainWeight;
    const values = new Map<string, string[]>();
    const decided = reduced(tree, (leaf) => {
      if (leaf.kind === 'sent') return sentDayHolds(listedFields, leaf);
      if (leaf.kind !== 'field' || !leaf.isListed) return undefined;
      const isHeld = this.#plain.get(leaf)?.isIn(listedFields);
      if (isHeld !== undefined) return isHeld;
      let known = values.get(leaf.name);
      if (known === undefined) {
        known = foldedValues(listedFields, leaf.name);
        values.set(leaf.name, known);
        work += listedFields.length + encodedWork * charsIn(known);
      }
      work += comparingWork(charsIn(known), leaf.text);
      return known.some((value) => value.includes(leaf.text));
    });
    worked(work);
    return decided;
  }
}
