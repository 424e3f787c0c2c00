/**
 * Small reads that are asked for in one turn and lie side by side become one: a message's ENTRY mostly follows its MESSAGE, and to
 * hand a read to another thread costs more than the read. Owns no file; what a read gives is what it gave alone.
 */

/** Reads up to `length` octets at `position` of a segment into `buffer` from `offset`; fewer only at the end of the file. */
export type ReadSegment = (
  number: number,
  buffer: Buffer,
  offset: number,
  length: number,
  position: number,
) => Promise<number>;

interface Wanted {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly length: number;
  readonly position: number;
  readonly resolve: (count: number) => void;
  readonly reject: (error: unknown) => void;
}

/** Octets of a read that is made at once, and of several together. */
const jointBytesMax = 65_536;

/** Octets between two reads that are read along. */
const gapBytesMax = 4_096;

export class JointReads {
  readonly #read: ReadSegment;
  /** By segment number: what was asked for in this turn. */
  readonly #wanted = new Map<number, Wanted[]>();

  constructor(read: ReadSegment) {
    this.#read = read;
  }

  readonly read: ReadSegment = (number, buffer, offset, length, position) => {
    if (length > jointBytesMax) return this.#read(number, buffer, offset, length, position);
    return new Promise((resolve, reject) => {
      const wanted: Wanted = { buffer, offset, length, position, resolve, reject };
      const others = this.#wanted.get(number);
      if (others !== undefined) {
        others.push(wanted);
        return;
      }
      this.#wanted.set(number, [wanted]);
      queueMicrotask(() => this.#turn(number));
    });
  };

  #turn(number: number): void {
    const wanted = this.#wanted.get(number) ?? [];
    this.#wanted.delete(number);
    const [only] = wanted;
    if (wanted.length === 1 && only !== undefined) {
      const { buffer, offset, length, position, resolve, reject } = only;
      this.#read(number, buffer, offset, length, position).then(resolve, reject);
      return;
    }
    for (const group of groups(wanted)) this.#together(number, group);
  }

  #together(number: number, group: readonly Wanted[]): void {
    const start = group[0]?.position ?? 0;
    const octets = Buffer.allocUnsafe(endOf(group) - start);
    this.#read(number, octets, 0, octets.length, start).then(
      (count) => {
        for (const { buffer, offset, length, position, resolve } of group) {
          const from = position - start;
          resolve(octets.copy(buffer, offset, from, Math.max(from, Math.min(from + length, count))));
        }
      },
      (error: unknown) => {
        for (const { reject } of group) reject(error);
      },
    );
  }
}

/** Reads that go together, each group by position. */
function groups(wanted: readonly Wanted[]): Wanted[][] {
  const found: Wanted[][] = [];
  let group: Wanted[] = [];
  for (const next of [...wanted].sort((a, b) => a.position - b.position)) {
    const end = endOf(group);
    const isNear = next.position - end <= gapBytesMax;
    const start = group[0]?.position ?? next.position;
    if (group.length > 0 && (!isNear || Math.max(end, next.position + next.length) - start > jointBytesMax)) {
      found.push(group);
      group = [];
    }
    group.push(next);
  }
  found.push(group);
  return found;
}

function endOf(group: readonly Wanted[]): number {
  return group.reduce((end, { position, length }) => Math.max(end, position + length), 0);
}
