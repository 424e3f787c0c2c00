/** The demonstration's store: a user who can log in, and some hundred messages. */
import { type DirectoryAdministration, isDirectoryError, type KnownIds } from '@mstore/directory';
import { inbox, isStoreError, StoreError, upgrade } from '@mstore/store';
import { accountOf, withReading, withWriter } from './access.ts';
import type { Run } from './command.ts';
import { demoDate, demoMessage, demoMessages } from './demo-mail.ts';
import { knownIds, makeDirectory, openAccount, withAdministration } from './directory.ts';
import { Importer } from './importer.ts';
import { makeStore } from './init.ts';
import { counted } from './text.ts';

export const demoLogin = 'demo@example.org';
export const demoPassword = 'demo';

/** Makes what of it is not there, and tells how many messages the user has. */
export async function makeDemo(
  run: Run,
  say: (text: string) => Promise<void>,
): Promise<{ readonly isNew: boolean; readonly messages: number }> {
  await upgradeDemo(run, say);
  try {
    const known = await withReading(run, async (reading) => accountOf(reading.catalog(), demoLogin));
    await addDemoUser(run);
    const { messages } = known.row;
    await say(`The store in ${run.directory} is there, with ${counted(messages, 'message')}.\n\n`);
    return { isNew: false, messages };
  } catch (error) {
    if (!isStoreError(error, 'noStore') && !isStoreError(error, 'noAccount')) throw error;
    if (isStoreError(error, 'noStore')) await makeStore(run);
  }
  await addDemoUser(run);
  const { imported } = await withWriter(run, async (store) => {
    const importer = new Importer(store, await openAccount(run, store, demoLogin));
    for (let n = 0; n < demoMessages; n++) {
      const common = { name: `message ${n}`, mailbox: inbox, flags: 0, keywords: [] };
      await importer.add({ ...common, octets: demoMessage(n), internalDate: demoDate(n) });
    }
    return importer.finish();
  });
  await say(`A new store is in ${run.directory}; ${counted(imported, 'message')} delivered to ${demoLogin}.\n\n`);
  return { isNew: true, messages: imported };
}

/** The demonstration's store is nobody's mail: one of an earlier release is upgraded without being asked. */
async function upgradeDemo(run: Run, say: (text: string) => Promise<void>): Promise<void> {
  const { directory } = run;
  const isOlder = await withReading(run, () => Promise.resolve(false)).catch((error: unknown) =>
    isStoreError(error, 'olderFormat'),
  );
  if (!isOlder) return;
  const { from, to, done } = await upgrade(directory);
  if (!done) throw new StoreError('corrupt', `the store in ${directory} has damage: remove it, and another is made`);
  await say(`The store in ${directory} was of an earlier release, format ${from}; it has format ${to} now.\n\n`);
}

/** A store of an earlier release has the mail and no directory. */
async function addDemoUser(run: Run): Promise<void> {
  await makeDirectory(run);
  const add = (known: KnownIds) => async (administration: DirectoryAdministration) => {
    await administration.addUser(demoLogin, { password: demoPassword }, known);
  };
  await withReading(run, (reading) => withAdministration(run, add(knownIds(reading)))).catch((error: unknown) => {
    if (!isDirectoryError(error, 'exists')) throw error;
  });
}
