/** Damage as a disk does it: one octet of the heap that is not what was written. */
import assert from 'node:assert/strict';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Changes the first octet of `wanted`, where it stands in the segments of a store, or of a backup; returns what mends it, for the
 * check of the store at the end of a test.
 */
export async function damageInHeap(directory: string, wanted: Buffer | string): Promise<() => Promise<void>> {
  const heap = join(directory, 'heap');
  for (const name of (await readdir(heap)).filter((each) => each.endsWith('.seg')).sort()) {
    const path = join(heap, name);
    const octets = await readFile(path);
    const at = octets.indexOf(wanted);
    if (at < 0) continue;
    const write = async (octet: number): Promise<void> => {
      await using file = await open(path, 'r+');
      await file.write(Buffer.of(octet), 0, 1, at);
    };
    const whole = octets[at] ?? 0;
    await write(whole ^ 1);
    return () => write(whole);
  }
  assert.fail('what is to be damaged stands nowhere in the heap as it is');
}
