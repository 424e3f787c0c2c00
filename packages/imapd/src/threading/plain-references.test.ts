/** THREAD=REFERENCES as RFC 5256 §3 tells it, step by step and with no thought of time or room: what the real one is compared with. */

export interface PlainMessage {
  /** From 1. */
  readonly number: number;
  readonly id: string | undefined;
  readonly references: readonly string[];
  readonly date: number;
  /** Base subject. */
  readonly subject: string;
  readonly isReply: boolean;
}

class Node {
  readonly message: PlainMessage | undefined;
  parent: Node | undefined;
  children: Node[] = [];

  constructor(message: PlainMessage | undefined) {
    this.message = message;
  }

  put(parent: Node | undefined): void {
    if (this.parent !== undefined) this.parent.children = this.parent.children.filter((child) => child !== this);
    this.parent = parent;
    parent?.children.push(this);
  }

  holds(other: Node): boolean {
    return this === other || this.children.some((child) => child.holds(other));
  }

  /** A message's own, or its first child's. */
  get speaker(): PlainMessage {
    const speaker = this.message ?? this.children[0]?.message;
    if (speaker === undefined) throw new Error('a dummy below a dummy');
    return speaker;
  }
}

function bySentDate(one: Node, other: Node): number {
  return one.speaker.date - other.speaker.date || one.speaker.number - other.speaker.number;
}

/** Steps 1 and 2. */
function linked(messages: readonly PlainMessage[]): Node[] {
  const all: Node[] = [];
  const byId = new Map<string, Node>();
  const nodes = messages.map((message) => {
    const node = new Node(message);
    all.push(node);
    if (message.id !== undefined && !byId.has(message.id)) byId.set(message.id, node);
    return node;
  });
  const nodeOf = (id: string): Node => {
    const found = byId.get(id) ?? new Node(undefined);
    if (!byId.has(id)) all.push(found);
    byId.set(id, found);
    return found;
  };
  for (const node of nodes) {
    const named = (node.message?.references ?? []).map(nodeOf);
    for (const [at, child] of named.entries()) {
      const parent = named[at - 1];
      if (parent !== undefined && child.parent === undefined && !child.holds(parent)) child.put(parent);
    }
    const last = named.at(-1);
    node.put(undefined);
    if (last !== undefined && !node.holds(last)) node.put(last);
  }
  return all.filter(({ parent }) => parent === undefined);
}

/** Step 3: what a node becomes at its level. */
function pruned(node: Node, isTop: boolean): Node[] {
  const children = node.children.flatMap((child) => pruned(child, false));
  if (node.message === undefined && (!isTop || children.length <= 1)) return children;
  node.children = children;
  for (const child of children) child.parent = node;
  return [node];
}

/** Steps 4 to 6, and how it is told. */
export function plainReferences(messages: readonly PlainMessage[]): string {
  let roots = linked(messages).flatMap((root) => pruned(root, true));
  for (const root of roots) root.children.sort(bySentDate);
  roots.sort(bySentDate);
  const table = new Map<string, Node>();
  for (const root of roots) {
    const { subject } = root.speaker;
    const there = table.get(subject);
    if (subject === '') continue;
    if (there === undefined) table.set(subject, root);
    else if (there.message !== undefined) {
      const isBetter = root.message === undefined || (there.message.isReply && !root.message.isReply);
      if (isBetter) table.set(subject, root);
    }
  }
  for (const root of [...roots]) {
    const { subject } = root.speaker;
    const there = table.get(subject);
    if (subject === '' || there === undefined || there === root) continue;
    roots = roots.filter((other) => other !== root);
    if (there.message === undefined && root.message === undefined) there.children.push(...root.children);
    else if (there.message === undefined) there.children.push(root);
    else if (root.message?.isReply === true && !there.message.isReply) there.children.push(root);
    else {
      const dummy = new Node(undefined);
      dummy.children = [there, root];
      roots = [...roots.filter((other) => other !== there), dummy];
      table.set(subject, dummy);
    }
  }
  const sort = (nodes: Node[]): void => {
    for (const node of nodes) sort(node.children);
    nodes.sort(bySentDate);
  };
  sort(roots);
  return roots.map((root) => `(${told(root)})`).join('');
}

function told({ message, children }: Node): string {
  const [only, ...others] = children;
  const number = message === undefined ? '' : `${message.number}`;
  if (only === undefined) return number;
  const below = others.length === 0 ? told(only) : children.map((child) => `(${told(child)})`).join('');
  return number === '' ? below : `${number} ${below}`;
}
