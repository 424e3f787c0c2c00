/**
 * A file of the simulated disk: its octets as programs see them, those that are durable, and the writes in between.
 *
 * After power loss each 4 KiB page that unsynced writes touched is found as it was after some of them (the page cache
 * writes a page back at any time), or torn: each 512-octet sector as after some of them. So a later write may survive
 * where an earlier one did not, while a sector never holds the later and not the earlier. The length is any that the
 * file had since; where it grew over lost data, zeros are found. What was synced is never touched.
 */
import { PagedOctets, pageBytes } from './paged-octets.ts';
import type { Random } from './random.ts';

const sectorBytes = 512;

interface UnsyncedWrite {
  readonly position: number;
  readonly octets: Buffer;
  /** A sync failed on it: it may be lost although later ones succeed. */
  readonly doubtful: boolean;
}

function end(write: UnsyncedWrite): number {
  return write.position + write.octets.length;
}

/** What becomes of unsynced writes: all lost, all kept, the first ones kept, or page by page. */
type Fate = 'none' | 'all' | 'first' | 'mixed';
const fates: readonly [Fate, ...Fate[]] = ['none', 'all', 'first', 'mixed', 'mixed', 'mixed'];

export class SimFile {
  readonly #visible: PagedOctets;
  readonly #durable: PagedOctets;
  #unsynced: UnsyncedWrite[];

  constructor(
    visible: PagedOctets = new PagedOctets(),
    durable: PagedOctets = new PagedOctets(),
    unsynced: UnsyncedWrite[] = [],
  ) {
    this.#visible = visible;
    this.#durable = durable;
    this.#unsynced = unsynced;
  }

  get length(): number {
    return this.#visible.length;
  }

  read(target: Buffer, offset: number, length: number, position: number): number {
    return this.#visible.read(target, offset, length, position);
  }

  /** Writes `octets`, which must not change afterwards. */
  write(octets: Buffer, position: number): void {
    if (octets.length === 0) return;
    this.#visible.write(octets, position);
    this.#unsynced.push({ position, octets, doubtful: false });
  }

  /** Changes octets on the medium, as decay does. */
  damage(octets: Buffer, position: number): void {
    this.#visible.write(octets, position);
    this.#durable.write(octets, position);
  }

  /** Begins a sync of what was written so far; the function returned makes it durable. */
  beginSync(): () => void {
    const begun = new Set(this.#unsynced);
    return () => this.#sync(this.#unsynced.filter((write) => begun.has(write) && !write.doubtful));
  }

  #sync(writes: readonly UnsyncedWrite[]): void {
    for (const write of writes) this.#durable.write(write.octets, write.position);
    const synced = new Set(writes);
    // A doubtful write beneath a synced one must not come back over it: it is lost as a whole.
    this.#unsynced = this.#unsynced.filter(
      (write) => !synced.has(write) && !(write.doubtful && overlapsAny(write, writes)),
    );
  }

  /** The kernel told of a failed sync once: what was written before may be lost, whatever later syncs return. */
  failSync(): void {
    this.#unsynced = this.#unsynced.map((write) => ({ ...write, doubtful: true }));
  }

  /** The file as another process finds it. */
  clone(): SimFile {
    return new SimFile(this.#visible.clone(), this.#durable.clone(), [...this.#unsynced]);
  }

  /** The file as it may be after power loss. */
  crash(random: Random): SimFile {
    const fate = this.#unsynced.length === 0 ? 'none' : random.pick(fates);
    const found = fate === 'all' ? this.#visible.clone() : this.#durable.clone();
    if (fate === 'first') this.#keepFirst(found, random);
    if (fate === 'mixed') this.#keepSome(found, random);
    return new SimFile(found.clone(), found);
  }

  /** The first writes, the last of them cut at a sector. */
  #keepFirst(found: PagedOctets, random: Random): void {
    const count = random.int(this.#unsynced.length + 1);
    for (const write of this.#unsynced.slice(0, count)) found.write(write.octets, write.position);
    const torn = this.#unsynced[count];
    if (torn === undefined) return;
    const cut = Math.floor((torn.position + random.int(torn.octets.length + 1)) / sectorBytes) * sectorBytes;
    if (cut > torn.position) found.write(torn.octets.subarray(0, cut - torn.position), torn.position);
  }

  #keepSome(found: PagedOctets, random: Random): void {
    const lengths = [found.length];
    for (const write of this.#unsynced) lengths.push(Math.max(lengths.at(-1) ?? 0, end(write)));
    const length = random.chance(0.5) ? Math.max(...lengths) : random.pick(lengths);
    for (const [index, writes] of this.#writesByPage()) found.setPage(index, this.#pageFound(index, writes, random));
    // Shortening, too, cuts off what pages hold beyond the length.
    found.setLength(Math.max(...lengths));
    found.setLength(length);
  }

  #writesByPage(): Map<number, UnsyncedWrite[]> {
    const pages = new Map<number, UnsyncedWrite[]>();
    for (const write of this.#unsynced) {
      const last = Math.floor((end(write) - 1) / pageBytes);
      for (let index = Math.floor(write.position / pageBytes); index <= last; index++) {
        const writes = pages.get(index);
        if (writes === undefined) pages.set(index, [write]);
        else writes.push(write);
      }
    }
    return pages;
  }

  #pageFound(index: number, writes: readonly UnsyncedWrite[], random: Random): Buffer {
    const start = index * pageBytes;
    const states = [this.#durable.page(index)];
    for (const write of writes) {
      const page = Buffer.from(states.at(-1) ?? []);
      const from = Math.max(write.position, start);
      const to = Math.min(end(write), start + pageBytes);
      write.octets.copy(page, from - start, from - write.position, to - write.position);
      states.push(page);
    }
    const [oldest, newest] = [states[0], states.at(-1)];
    const luck = random.next();
    if (oldest !== undefined && luck < 0.35) return oldest;
    if (newest !== undefined && luck < 0.7) return newest;
    if (luck < 0.85) return random.pick(states);
    const page = Buffer.alloc(pageBytes);
    for (let at = 0; at < pageBytes; at += sectorBytes) random.pick(states).copy(page, at, at, at + sectorBytes);
    return page;
  }
}

function overlapsAny(write: UnsyncedWrite, others: readonly UnsyncedWrite[]): boolean {
  return others.some((other) => other.position < end(write) && write.position < end(other));
}
