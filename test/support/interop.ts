/** Tests against other people's programs: found where Debian installs them, skipped where they are not installed. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';

/** Servers lie outside a user's PATH. */
const systemFolders = ['/usr/sbin', '/sbin'];

/** The path of an executable in PATH or among the system's own; undefined when there is none. */
export function findProgram(name: string): string | undefined {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...systemFolders]) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return undefined;
}

/**
 * The path of a program the test cannot do without, or undefined after marking the test as skipped.
 * @throws where MSTORE_REQUIRE_INTEROP is 1: a machine that promises these tests must not skip them silently
 */
export function requireProgram(t: Pick<TestContext, 'skip'>, name: string): string | undefined {
  const path = findProgram(name);
  if (path !== undefined) return path;
  if (process.env.MSTORE_REQUIRE_INTEROP === '1') throw new Error(`${name} is not installed, and this run requires it`);
  t.skip(`${name} is not installed`);
  return undefined;
}
