/**
 * The octets of a simulated file: pages that are never changed once made, so that copies of a file share them. What was
 * never written reads as zeros.
 */

export const pageBytes = 4096;

const zeros = Buffer.alloc(pageBytes);

export class PagedOctets {
  readonly #pages: (Buffer | undefined)[];
  #length: number;

  private constructor(pages: (Buffer | undefined)[], length: number) {
    this.#pages = pages;
    this.#length = length;
  }

  static empty(): PagedOctets {
    return new PagedOctets([], 0);
  }

  get length(): number {
    return this.#length;
  }

  clone(): PagedOctets {
    return new PagedOctets(this.#pages.slice(), this.#length);
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
      this.#pages[index] = page;
      done += count;
    }
    this.#length = Math.max(this.#length, position + octets.length);
  }

  /** Puts a page, which is the file's from now on; the length stays. */
  setPage(index: number, page: Buffer): void {
    this.#pages[index] = page;
  }

  /** Sets the length; octets beyond it are gone for good. */
  setLength(length: number): void {
    if (length < this.#length) {
      this.#pages.length = Math.min(this.#pages.length, Math.ceil(length / pageBytes));
      const inPage = length % pageBytes;
      const last = this.#pages[Math.floor(length / pageBytes)];
      if (inPage > 0 && last !== undefined) {
        const page = Buffer.from(last);
        page.fill(0, inPage);
        this.#pages[Math.floor(length / pageBytes)] = page;
      }
    }
    this.#length = length;
  }
}
