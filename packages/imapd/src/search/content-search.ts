/**
 * What of a search only the message itself can tell: fields that the catalog has not, BODY and TEXT. One small face, behind which an
 * index of words may stand one day; this one reads the message, once for all keys, and no further than to the point where
 * the search is decided.
 */
import type { StoredMessage } from '@mstore/store';
import { comparingWork, holds } from './folded-text.ts';
import { valuesAtPace } from './header-text.ts';
import { type Leaf, leavesOf, reduced, type Tree } from './key-tree.ts';
import { headerOf, type TextPiece, textsOf } from './message-texts.ts';
import type { Pace } from './pace.ts';
import { sentDayHolds } from './row-keys.ts';

export interface ContentSearch {
  /** Whether a message belongs to the tree, whose other keys are decided. @throws {StoreError} corrupt */
  isFound(message: StoredMessage, tree: Tree, pace: Pace): Promise<boolean>;
}

type TextLeaf = Extract<Leaf, { kind: 'body' | 'text' }>;

/** Reads each message. */
export const readingSearch: ContentSearch = {
  isFound: async (message, tree, pace) => {
    const left = await withoutFields(message, tree, pace);
    return typeof left === 'boolean' ? left : readTexts(message, left, pace);
  },
};

type HeaderLeaf = Extract<Leaf, { kind: 'field' | 'sent' }>;

/** The tree less its keys on header fields. */
async function withoutFields(message: StoredMessage, tree: Tree, pace: Pace): Promise<Tree> {
  let left = tree;
  let header: Buffer | undefined;
  const leaves = [...leavesOf(tree)];
  for (const leaf of leaves) {
    if (typeof left === 'boolean') break;
    if (leaf.kind !== 'field' && leaf.kind !== 'sent') continue;
    header ??= await headerOf(message);
    const isFound = await isInHeader(header, leaf, pace);
    left = reduced(left, (other) => (other === leaf ? isFound : undefined));
    await pace.worked(leaves.length);
  }
  return left;
}

/** Whether a header, or what the catalog keeps of it, satisfies a key. An empty text is held by each field of the name. */
export async function isInHeader(header: Buffer, leaf: HeaderLeaf, pace: Pace): Promise<boolean> {
  if (leaf.kind === 'sent') {
    await pace.worked(header.length);
    return sentDayHolds(header, leaf);
  }
  for await (const value of valuesAtPace(header, leaf.name, pace)) if (await holds(value, leaf.text, pace)) return true;
  return false;
}

async function readTexts(message: StoredMessage, tree: Tree, pace: Pace): Promise<boolean> {
  let left = tree;
  const wanted = new Set<TextLeaf>();
  const leaves = [...leavesOf(tree)];
  for (const leaf of leaves) if (leaf.kind === 'body' || leaf.kind === 'text') wanted.add(leaf);
  const window = new Window(Math.max(...[...wanted].map(({ text }) => text.length)));
  const withHeaders = [...wanted].some(({ kind }) => kind === 'text');
  for await (const piece of textsOf(message, withHeaders, pace)) {
    const text = window.push(piece);
    for (const leaf of wanted) {
      if (leaf.kind === 'body' && piece.of === 'header') continue;
      await pace.worked(comparingWork(text.length, leaf.text));
      if (!text.includes(leaf.text)) continue;
      wanted.delete(leaf);
      left = reduced(left, (other) => (other === leaf ? true : undefined));
      await pace.worked(leaves.length);
      if (typeof left === 'boolean') return left;
    }
  }
  return reduced(left, () => false) === true;
}

/** A piece and as much before it as a text may begin in. */
class Window {
  readonly #tailLength: number;
  #tail = '';

  constructor(longest: number) {
    this.#tailLength = Math.max(longest - 1, 0);
  }

  push({ text, isFirst }: TextPiece): string {
    const whole = isFirst ? text : this.#tail + text;
    this.#tail = this.#tailLength === 0 ? '' : whole.slice(-this.#tailLength);
    return whole;
  }
}
