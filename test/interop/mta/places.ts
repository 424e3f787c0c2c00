/** Where things lie for the tests of mail servers, and as whom they run. */
import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../support/repository.ts';
import type { UnixUser } from '../../support/service.ts';

const run = promisify(execFile);

/** mstore's user here: mail servers run no program as root. */
export const serviceUser = { name: 'nobody', group: 'nogroup' } as const;

/** The ids of a user; undefined when there is none of that name. */
export async function unixUser(name: string): Promise<UnixUser | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async (what) => (await run('id', [what, name])).stdout));
    return { uid: Number(uid), gid: Number(gid) };
  } catch {
    return undefined;
  }
}

/**
 * A folder from which any user may run our programs: this checkout, or where others may not enter it, a copy in `folder`,
 * which the caller removes.
 */
export async function openCheckout(user: UnixUser, folder: string): Promise<string> {
  const look = `require('node:fs').readdirSync(${JSON.stringify(repositoryRoot)})`;
  try {
    await run(process.execPath, ['-e', look], { ...user, cwd: '/' });
    return repositoryRoot;
  } catch {
    const copy = join(folder, 'checkout');
    await mkdir(copy);
    const parts = ['packages', 'node_modules', 'package.json'].map((name) => join(repositoryRoot, name));
    await run('cp', ['-a', ...parts, copy]);
    return copy;
  }
}

/** A link to the delivery program of a checkout, such as an administrator makes. */
export async function ldaLink(checkout: string, folder: string): Promise<string> {
  const link = join(folder, 'mstore-lda');
  await symlink(join(checkout, 'node_modules/.bin/mstore-lda'), link);
  return link;
}
