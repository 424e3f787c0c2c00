/**
 * Keys that a message's row in the catalog decides without an octet of the heap: header fields that clients list, and the day in
 * the Date field.
 */
import { fieldTexts, type MessageRow } from '@mstore/store';
import { limits } from '../limits.ts';
import { comparingWork } from './folded-text.ts';
import { foldedValues } from './header-text.ts';
import { isRelated, type Leaf, leavesOf, reduced, type Tree } from './key-tree.ts';
import { sentDay } from './sent-day.ts';

const dateField: ReadonlySet<string> = new Set(['date']);

/** True when a message whose Date is not readable belongs to no day. */
export function sentDayHolds(header: Buffer, { relation, day }: Extract<Leaf, { kind: 'sent' }>): boolean {
  const field = fieldTexts(header, dateField).get('date')?.[0];
  const sent = field === undefined ? undefined : sentDay(field);
  return sent !== undefined && isRelated(sent, relation, day);
}

/** Keys of a tree that a row may decide: which, and what they cost. */
export class RowKeys {
  /** Work for each character of the fields. */
  readonly #weight: number;
  readonly isNone: boolean;

  constructor(tree: Tree) {
    let weight = 0;
    for (const leaf of new Set(leavesOf(tree))) {
      if (leaf.kind === 'sent') weight += 1;
      else if (leaf.kind === 'field' && leaf.isListed) weight += 16 + comparingWork(1, leaf.text);
    }
    this.#weight = weight;
    this.isNone = weight === 0;
  }

  work(row: MessageRow): number {
    return limits.searchRowWork + row.listedFields.length * this.#weight;
  }

  /** The tree less what the row decides. */
  decide(tree: Tree, { listedFields }: MessageRow): Tree {
    const values = new Map<string, string[]>();
    return reduced(tree, (leaf) => {
      if (leaf.kind === 'sent') return sentDayHolds(listedFields, leaf);
      if (leaf.kind !== 'field' || !leaf.isListed) return undefined;
      const known = values.get(leaf.name) ?? foldedValues(listedFields, leaf.name);
      values.set(leaf.name, known);
      return known.some((value) => value.includes(leaf.text));
    });
  }
}
