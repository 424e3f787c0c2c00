/** The demonstration's store: a user who can log in, and some hundred messages. */
import { type DirectoryAdministration, isDirectoryError, type KnownIds } from '@mstore/directory';
import { inbox, isStoreError } from '@mstore/store';
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
