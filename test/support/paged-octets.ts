/**
 * The octets of a simulated file: pages that are never changed once made, in a list that copies of the file share until
 * one of them is written. What was never written reads as zeros.
 */

export const pageBytes = 4096;

const zeros = Buffer.alloc(pageBytes);

export class PagedOctets {
  #pages: (Buffer | undefined)[] = [];
  /** Whether another copy has the same list of pages. */
  #shared = false;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  clone(): PagedOctets {
    const copy = new PagedOctets();
    copy.#pages = this.#pages;
    copy.#length = this.#length;
    copy.#shared = true;
    this.#shared = true;
    return copy;
  }

  #own(): (Buffer | undefined)[] {
    if (this.#shared) this.#pages = this.#pages.slice();
    this.#shared = false;
    return this.#pages;
  }

  /** A page's octets, not to be changed; zeros where nothing was written. */
  page(index: number): Buffer {
    return this.#pages[index] ?? zeros;
  }

  read(target: Buffer, offset: number, length: number, position: number): number {
    const end = Math.min(position + length, this.#length);
    for (let at = position; at < end; ) {
      const inPage = at % pageBytes;
      const count = Math.min(pageBytes - inPage, end - at);
      this.page(Math.floor(at / pageBytes)).copy(target, offset + at - position, inPage, inPage + count);
      at += count;
    }
    return Math.max(0, end - position);
  }

  /** Copies `octets` in. */
  write(octets: Buffer, position: number): void {
    for (let done = 0; done < octets.length; ) {
      const at = position + done;
      const inPage = at % pageBytes;
      const count = Math.min(pageBytes - inPage, octets.length - done);
      const index = Math.floor(at / pageBytes);
      const page = Buffer.from(this.page(index));
      octets.copy(page, inPage, done, done + count);
      this.#own()[index] = page;
      done += count;
    }
    this.#length = Math.max(this.#length, position + octets.length);
  }

  /** Puts a page, which is the file's from now on; the length stays. */
  setPage(index: number, page: Buffer): void {
    this.#own()[index] = page;
  }

  /** Sets the length; octets beyond it are gone for good. */
  setLength(length: number): void {
    if (length < this.#length) {
      const pages = this.#own();
      pages.length = Math.min(pages.length, Math.ceil(length / pageBytes));
      const last = pages[Math.floor(length / pageBytes)];
      if (last !== undefined) {
        const cut = Buffer.from(last);
        cut.fill(0, length % pageBytes);
        pages[Math.floor(length / pageBytes)] = cut;
      }
    }
    this.#length = length;
  }
}
