/**
 * The catalog of a process that reads beside the writer. When the writer has made another generation, this one stays as it was, and
 * the reader goes over to the new one before it catches up with what was answered.
 */
import { Catalog } from '../catalog/catalog.ts';
import { currentGeneration, currentPath } from '../catalog/generations.ts';
import type { Kv } from '../catalog/kv.ts';
import { View } from '../catalog/write-set.ts';
import { isStoreError } from '../errors.ts';
import type { Heap } from '../heap/heap.ts';
import { limits } from '../limits.ts';
import { catalogDirectory, openCatalog, type StorePorts } from './store-directory.ts';

interface OpenGeneration {
  readonly number: number | undefined;
  /** Of the file that named it. */
  readonly stamp: string | undefined;
  readonly kv: Kv;
}

export class CatalogReader {
  readonly #ports: StorePorts;
  readonly #directory: string;
  readonly #heap: Heap;
  #open: OpenGeneration;
  /** Those that were left, until nothing can be reading from them. */
  readonly #left = new Map<Kv, NodeJS.Timeout>();
  #following: Promise<boolean> | undefined;
  #closed = false;

  private constructor(ports: StorePorts, directory: string, heap: Heap, open: OpenGeneration) {
    this.#ports = ports;
    this.#directory = directory;
    this.#heap = heap;
    this.#open = open;
  }

  /** @throws {StoreError} newerFormat, corrupt, catalogMissing, ioError */
  static async open(ports: StorePorts, directory: string, heap: Heap): Promise<CatalogReader> {
    return new CatalogReader(ports, directory, heap, await openNow(ports, directory, heap));
  }

  /** A new snapshot; for one turn of the event loop. */
  now(): Catalog {
    const { kv } = this.#open;
    kv.refresh();
    return new Catalog(new View(kv));
  }

  /** The snapshot that was taken last, or a newer one. */
  last(): Catalog {
    return new Catalog(new View(this.#open.kv));
  }

  /** Goes over to the generation in use; true when that is another one. Undefined, and at once, when it surely is not. */
  follow(): Promise<boolean> | undefined {
    const stamp = this.#ports.stamp?.(currentPath(catalogDirectory(this.#directory)));
    if (stamp !== undefined && stamp === this.#open.stamp) return undefined;
    this.#following ??= this.#follow().finally(() => {
      this.#following = undefined;
    });
    return this.#following;
  }

  async #follow(): Promise<boolean> {
    const current = await currentGeneration(this.#ports.fs, catalogDirectory(this.#directory));
    if (current === undefined || current === this.#open.number || this.#closed) return false;
    const next = await openNow(this.#ports, this.#directory, this.#heap);
    const { kv } = this.#open;
    this.#open = next;
    const leave = (): void => {
      this.#left.delete(kv);
      void kv.close();
    };
    this.#left.set(kv, setTimeout(leave, limits.oldCatalogMs).unref());
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#following?.catch(() => undefined);
    for (const [kv, timer] of this.#left) {
      clearTimeout(timer);
      await kv.close();
    }
    this.#left.clear();
    await this.#open.kv.close();
  }
}

/** Stamp and number are read first: where another took its place meanwhile, the next `follow` sees it. */
async function openNow(ports: StorePorts, directory: string, heap: Heap): Promise<OpenGeneration> {
  const catalogs = catalogDirectory(directory);
  const stamp = ports.stamp?.(currentPath(catalogs));
  const number = await currentGeneration(ports.fs, catalogs);
  try {
    return { number, stamp, kv: await openCatalog(ports, directory, heap, true) };
  } catch (error) {
    // It may have been removed between the two looks.
    if (!isStoreError(error, 'catalogMissing') || (await currentGeneration(ports.fs, catalogs)) === number) throw error;
    return openNow(ports, directory, heap);
  }
}
