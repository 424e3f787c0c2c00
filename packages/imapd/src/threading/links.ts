/**
 * Who answered whom (RFC 5256 §3, REFERENCES, steps 1 to 3): a node for each message and for each Message-ID that no message bears,
 * linked to its parent by what the messages name, and in the end without the dummies that stand for nothing.
 *
 * Invariants: no node is above itself; a Message-ID is that of the first message that bears it, and a later one gets a node
 * without an id. Dummies are bounded: beyond, an id that no message bears is passed over.
 *
 * Takes 13 to 22 octets a node, and what `TextNumbers` takes.
 */
import { limits } from '../limits.ts';
import type { Turns } from '../sorting/turns.ts';
import { none } from './forest.ts';
import { TextNumbers } from './text-numbers.ts';

/** Whether a node has children; of those that count, there are more than one. */
const some = 1;
const more = 2;

export class Links {
  readonly #ids = new TextNumbers();
  readonly #dummiesMax: number;
  #dummies = 0;
  /** By node. */
  #parents: Int32Array = new Int32Array(0);
  /** By node: the place of its message. */
  #messages: Int32Array = new Int32Array(0);
  #children: Uint8Array = new Uint8Array(0);
  /** By place. */
  readonly #nodes: Int32Array;
  #messageCount = 0;

  /** @param capacity the most messages that are added */
  constructor(capacity: number) {
    this.#dummiesMax = capacity * limits.dummiesPerMessage + limits.dummiesMin;
    this.#nodes = new Int32Array(capacity);
  }

  /** How many there are. */
  get nodes(): number {
    return this.#ids.count;
  }

  /** The node of a message. */
  nodeAt(place: number): number {
    return this.#nodes[place] ?? none;
  }

  readonly parentOf: (node: number) => number = (node) => this.#parents[node] ?? none;

  /** The place of a node's message; `none` for a dummy. */
  readonly messageOf: (node: number) => number = (node) => this.#messages[node] ?? none;

  /** Makes room for so many more nodes. */
  async reserve(nodes: number, pace: Turns): Promise<void> {
    await this.#ids.reserve(nodes, pace);
    const needed = this.#ids.count + nodes;
    if (needed <= this.#parents.length) return;
    const capacity = Math.max(needed, this.#parents.length * 2);
    this.#parents = grown(this.#parents, capacity);
    this.#messages = grown(this.#messages, capacity);
    const children = new Uint8Array(capacity);
    children.set(this.#children);
    this.#children = children;
  }

  /**
   * Adds the next message (step 1); there must be room for its node and one for each reference.
   * @param references the oldest first
   * @returns how many steps of work it was
   */
  add(own: string | undefined, references: readonly string[]): number {
    let steps = references.length + 1;
    let last = none;
    for (const id of references) {
      const node = this.#nodeFor(id);
      if (node === none) continue;
      if (last !== none && this.parentOf(node) === none) steps += this.#link(last, node);
      last = node;
    }
    const node = this.#ownNode(own);
    this.#nodes[this.#messageCount] = node;
    this.#messages[node] = this.#messageCount;
    this.#messageCount += 1;
    this.#parents[node] = none;
    return last === none ? steps : steps + this.#link(last, node);
  }

  /** Takes out the dummies that stand for nothing (step 3): each message is then below a message, below a dummy at the top that has
   *  other children too, or at the top. */
  async prune(pace: Turns): Promise<void> {
    this.#children.fill(0);
    for (let place = 0; place < this.#messageCount; place += 1) {
      const node = this.nodeAt(place);
      const above = await this.#climb(node, pace);
      if (above !== none) this.#children[above] = this.#children[above] === 0 ? some : more;
      if (pace.isDue(limits.stepWork)) await pace.turn();
    }
    for (let place = 0; place < this.#messageCount; place += 1) {
      const node = this.nodeAt(place);
      const above = this.parentOf(node);
      if (above !== none && this.messageOf(above) === none && this.#children[above] === some) this.put(node, none);
      if (pace.isDue(limits.stepWork)) await pace.turn();
    }
  }

  /** A node below a new parent; `none`: at the top. */
  put(node: number, parent: number): void {
    this.#parents[node] = parent;
  }

  /** A dummy at the top; there must be room. */
  addDummy(): number {
    return this.#made(this.#ids.withoutText());
  }

  /** Finds the message above a node, or else the topmost dummy, and puts the node and all dummies on the way right below it. */
  async #climb(node: number, pace: Turns): Promise<number> {
    let above = this.parentOf(node);
    while (above !== none && this.messageOf(above) === none && this.parentOf(above) !== none) {
      above = this.parentOf(above);
      if (pace.isDue(limits.stepWork)) await pace.turn();
    }
    for (let at = node; at !== above && at !== none; ) {
      const next = this.parentOf(at);
      this.put(at, above);
      at = next;
      if (pace.isDue(limits.stepWork)) await pace.turn();
    }
    return above;
  }

  #made(node: number): number {
    this.#parents[node] = none;
    this.#messages[node] = none;
    return node;
  }

  /** `none` for an id that is new where there are too many dummies. */
  #nodeFor(id: string): number {
    const known = this.#ids.numberOf(id);
    if (known !== undefined || this.#dummies >= this.#dummiesMax) return known ?? none;
    this.#dummies += 1;
    return this.#made(this.#ids.numberFor(id));
  }

  #ownNode(id: string | undefined): number {
    const known = id === undefined ? undefined : this.#ids.numberOf(id);
    if (known !== undefined && this.messageOf(known) === none) return known;
    return this.#made(id === undefined || known !== undefined ? this.#ids.withoutText() : this.#ids.numberFor(id));
  }

  /** Puts a node that has no parent below another, unless it is above that one; how many steps it was to see that. */
  #link(parent: number, child: number): number {
    let steps = 0;
    let isLoop = parent === child;
    // What has nothing below it is above nothing.
    if (!isLoop && this.#children[child] !== 0) {
      for (let at = parent; at !== none && !isLoop; at = this.parentOf(at)) {
        steps += 1;
        isLoop = at === child || steps > limits.threadLevels;
      }
    }
    if (isLoop) return steps;
    this.#parents[child] = parent;
    this.#children[parent] = some;
    return steps;
  }
}

function grown(array: Int32Array, length: number): Int32Array {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}
