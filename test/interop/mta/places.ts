/** Where things lie for the tests of mail servers, and as whom they run. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../support/repository.ts';
import type { UnixUser } from '../../support/service.ts';

const run = promisify(execFile);

/** mstore's user here: mail servers run no program as root. */
export const serviceUser = { name: 'nobody', group: 'nogroup' } as const;

export const ldaProgram: string = join(repositoryRoot, 'node_modules/.bin/mstore-lda');

/** The ids of a user; undefined when there is none of that name. */
export async function unixUser(name: string): Promise<UnixUser | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async (what) => (await run('id', [what, name])).stdout));
    return { uid: Number(uid), gid: Number(gid) };
  } catch {
    return undefined;
  }
}

/** Marks the test as skipped with the reason; fails where this run promised not to skip. */
export function skipped(t: Pick<TestContext, 'skip'>, why: string): void {
  if (process.env.MSTORE_REQUIRE_INTEROP === '1') throw new Error(`${why}, and this run requires it`);
  t.skip(why);
}

/** Whether mstore's user may run the programs of this checkout. */
export async function mayRunCheckout(user: UnixUser): Promise<boolean> {
  try {
    await run(process.execPath, ['-e', `require('node:fs').readdirSync(${JSON.stringify(repositoryRoot)})`], user);
    return true;
  } catch {
    return false;
  }
}
