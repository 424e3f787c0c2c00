/**
 * What a search asks for, as a tree whose leaves know what they cost (RFC 9051 §6.4.4): UID sets and the unseen bits, which are bitmaps;
 * index entries; header fields of the message's row; the message itself in the heap. A tree is reduced by what is known
 * so far: what remains is what only dearer leaves decide.
 */
import { type Entry, flag, UidSet } from '@mstore/store';
import { RefusedError, refusals } from '../errors.ts';
import { areListed } from '../header-fields.ts';
import { limits } from '../limits.ts';
import { namedUids } from '../message-set.ts';
import type { Selected } from '../selected.ts';
import type { DateRelation, SearchKey } from '../wire/search-keys.ts';
import { folded } from './folded-text.ts';

/** What an entry is judged by besides itself. */
export interface EntryFacts {
  /** Numbers of the mailbox's keywords, by their name in small letters. */
  readonly keywords: ReadonlyMap<string, readonly number[]>;
  readonly modSeqFloor: number;
}

export type Leaf =
  | { readonly kind: 'uids'; readonly uids: UidSet }
  | { readonly kind: 'unseen' }
  | { readonly kind: 'entry'; readonly holds: (entry: Entry, facts: EntryFacts) => boolean }
  /** Text is folded; an empty one: the field is there. `isListed`: the row has it. */
  | { readonly kind: 'field'; readonly name: string; readonly text: string; readonly isListed: boolean }
  | { readonly kind: 'sent'; readonly relation: DateRelation; readonly day: number }
  | { readonly kind: 'body'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string };

export type Tree =
  | boolean
  | Leaf
  | { readonly kind: 'not'; readonly tree: Tree }
  | { readonly kind: 'and'; readonly trees: readonly Tree[] }
  | { readonly kind: 'or'; readonly trees: readonly Tree[] };

const secondsADay = 86_400;

/** The tree of keys that must all hold. @throws {RefusedError} searchTooLong */
export function treeOf(selected: Selected, keys: readonly SearchKey[], nowSeconds: number): Tree {
  const tree = new TreeMaker(selected, nowSeconds).all(keys);
  if ([...leavesOf(tree)].length > limits.searchKeys) throw new RefusedError(refusals.searchTooLong);
  return tree;
}

/** The tree less what is known: `known` says of a leaf whether it holds, undefined for what is not known yet. */
export function reduced(tree: Tree, known: (leaf: Leaf) => boolean | undefined): Tree {
  if (typeof tree === 'boolean') return tree;
  switch (tree.kind) {
    case 'not':
      return inverse(reduced(tree.tree, known));
    case 'and':
    case 'or': {
      const decisive = tree.kind === 'or';
      const left: Tree[] = [];
      for (const branch of tree.trees) {
        const now = reduced(branch, known);
        if (now === decisive) return decisive;
        if (now !== !decisive) left.push(now);
      }
      return joined(tree.kind, left);
    }
    default:
      return known(tree) ?? tree;
  }
}

/** Every leaf, in order. */
export function* leavesOf(tree: Tree): Generator<Leaf> {
  if (typeof tree === 'boolean') return;
  if (tree.kind === 'not') yield* leavesOf(tree.tree);
  else if (tree.kind === 'and' || tree.kind === 'or') for (const branch of tree.trees) yield* leavesOf(branch);
  else yield tree;
}

/** Whether a day stands so to another. */
export function isRelated(day: number, relation: DateRelation, other: number): boolean {
  if (relation === 'before') return day < other;
  return relation === 'on' ? day === other : day >= other;
}

function inverse(tree: Tree): Tree {
  return typeof tree === 'boolean' ? !tree : { kind: 'not', tree };
}

function joined(kind: 'and' | 'or', trees: readonly Tree[]): Tree {
  const [first] = trees;
  if (first === undefined) return kind === 'and';
  return trees.length === 1 ? first : { kind, trees };
}

/** `E17` or `T17` as a number; undefined for what no message has. */
function objectNumber(letter: 'E' | 'T', id: string): number | undefined {
  return id.startsWith(letter) && /^[1-9]\d{0,15}$/.test(id.slice(1)) ? Number(id.slice(1)) : undefined;
}

class TreeMaker {
  readonly #selected: Selected;
  readonly #nowSeconds: number;
  /** Keys that are looked for in what is written in messages. */
  #texts = 0;

  constructor(selected: Selected, nowSeconds: number) {
    this.#selected = selected;
    this.#nowSeconds = nowSeconds;
  }

  all(keys: readonly SearchKey[]): Tree {
    return this.#joined('and', keys);
  }

  #joined(kind: 'and' | 'or', keys: readonly SearchKey[]): Tree {
    const trees = keys.map((key) => this.#of(key));
    return reduced({ kind, trees: kind === 'or' ? withOneSet(trees) : trees }, () => undefined);
  }

  #of(key: SearchKey): Tree {
    switch (key.kind) {
      case 'all':
        return true;
      case 'not':
        return inverse(this.#of(key.key));
      case 'and':
      case 'or':
        return this.#joined(key.kind, key.keys);
      case 'messages':
        return { kind: 'uids', uids: this.#uids(key) };
      case 'recent':
        return key.is ? this.#recent : inverse(this.#recent);
      case 'new':
        return { kind: 'and', trees: [this.#recent, { kind: 'unseen' }] };
      case 'flags':
        if (key.unset === flag.seen) return { kind: 'unseen' };
        return key.set === flag.seen ? inverse({ kind: 'unseen' }) : ofEntry(key, this.#nowSeconds);
      case 'field':
        return {
          kind: 'field',
          name: key.field.toLowerCase(),
          text: this.#needle(key.text),
          isListed: areListed([key.field]),
        };
      case 'body':
      case 'text':
        return key.text === '' ? true : { kind: key.kind, text: this.#needle(key.text) };
      case 'date':
        if (key.of === 'internal') return ofEntry(key, this.#nowSeconds);
        this.#countText();
        return { kind: 'sent', relation: key.relation, day: key.day };
      default:
        return ofEntry(key, this.#nowSeconds);
    }
  }

  #needle(text: string): string {
    this.#countText();
    if (text.length > limits.searchTextChars) throw new RefusedError(refusals.searchTooLong);
    return folded(text);
  }

  #countText(): void {
    this.#texts += 1;
    if (this.#texts > limits.searchTexts) throw new RefusedError(refusals.searchTooLong);
  }

  get #recent(): Tree {
    return { kind: 'uids', uids: this.#selected.recent };
  }

  /** A number beyond the last message names none: a search is no reason for BAD. */
  #uids({ by, set }: Extract<SearchKey, { kind: 'messages' }>): UidSet {
    const { view } = this.#selected;
    if (by === 'uid' || set === 'saved') return namedUids(this.#selected, set, 'uid');
    return view.count === 0 ? UidSet.empty : view.uidsOf(set.resolve(view.count));
  }
}

/** With one set for all sets of UIDs: some clients name each message by an OR of its own. */
function withOneSet(trees: readonly Tree[]): Tree[] {
  const ranges: UidSet['ranges'][number][] = [];
  const others: Tree[] = [];
  for (const tree of trees) {
    if (typeof tree !== 'boolean' && tree.kind === 'uids') for (const range of tree.uids.ranges) ranges.push(range);
    else others.push(tree);
  }
  return ranges.length === 0 ? others : [{ kind: 'uids', uids: UidSet.ofRanges(ranges) }, ...others];
}

type EntryKey = Extract<SearchKey, { kind: 'flags' | 'keyword' | 'date' | 'size' | 'age' | 'modSeq' | 'objectId' }>;

function ofEntry(key: EntryKey, nowSeconds: number): Leaf | boolean {
  const leaf = (holds: (entry: Entry, facts: EntryFacts) => boolean): Leaf => ({ kind: 'entry', holds });
  switch (key.kind) {
    case 'flags':
      return leaf(({ flags }) => (flags & key.set) === key.set && (flags & key.unset) === 0);
    case 'keyword': {
      const name = key.keyword.toLowerCase();
      return leaf(({ keywords }, facts) => {
        const numbers = facts.keywords.get(name) ?? [];
        return numbers.some((number) => keywords.includes(number)) === key.isSet;
      });
    }
    case 'date':
      return leaf(({ internalDate }) => isRelated(Math.floor(internalDate / secondsADay), key.relation, key.day));
    case 'size':
      return leaf(({ size }) => (key.relation === 'larger' ? size > key.bytes : size < key.bytes));
    case 'age': {
      const then = nowSeconds - key.seconds;
      return leaf(({ internalDate }) => (key.relation === 'older' ? internalDate <= then : internalDate >= then));
    }
    case 'modSeq':
      return leaf(({ modSeq }, { modSeqFloor }) => Math.max(modSeq, modSeqFloor) >= key.least);
    case 'objectId': {
      const number = objectNumber(key.of === 'email' ? 'E' : 'T', key.id);
      return number === undefined ? false : leaf((entry) => entry[key.of] === number);
    }
  }
}
