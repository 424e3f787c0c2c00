/** A site of many accounts, made quickly: users with a ready-made hash in the directory, and mail for each in the store. */
import { type DirectoryAdministration, SqliteDirectory } from '@mstore/directory';
import { type AccountId, brandNumber, Store } from '@mstore/store';

/** Of the password `secret`: SHA-512, then the salt `salt`. */
const storedSecret =
  '{SSHA512}E491yrR9AdCoE7rbOPYS3EZgSuZpVE65AD9xko08s6floNesY/Zpe9zMVvLix4S2FiQSJ99RIkNvhHomNO9uL3NhbHQ=';

/** The password of every user. */
export const manyPassword = 'secret';

/** Targets of one delivery. */
const targetsAtOnce = 5_000;

export function addressOf(number: number): string {
  return `user${number}@example.org`;
}

function* lines(count: number): Generator<string> {
  for (let number = 1; number <= count; number += 1) yield `${addressOf(number)} ${storedSecret}`;
}

/** Imports users 1 to `count`; how many a second. */
export async function importMany(administration: DirectoryAdministration, count: number): Promise<number> {
  const start = performance.now();
  const { added, problems } = await administration.importUsers(lines(count));
  if (added !== count) throw new Error(`${added} of ${count} imported: ${problems[0]?.problem}`);
  return count / ((performance.now() - start) / 1_000);
}

/** Makes the accounts of users 1 to `count`, each with so many messages; nobody else may have the store open. */
export async function fillMany(directory: string, count: number, messages: number): Promise<void> {
  const users = new SqliteDirectory(`${directory}/directory.sqlite`);
  const store = await Store.open(directory);
  try {
    const accounts: AccountId[] = [];
    for (let from = 1; from <= count; from += 1_000) {
      const numbers = Array.from({ length: Math.min(1_000, count + 1 - from) }, (_, at) => from + at);
      const made = numbers.map(async (number) => {
        const user = await users.userNamed(addressOf(number));
        if (user === undefined) throw new Error(`no user ${number}`);
        const id = brandNumber<AccountId>(user.id);
        await store.ensureAccount({ id, name: user.address, quotaBytes: 0, quotaMessages: 0 });
        return id;
      });
      accounts.push(...(await Promise.all(made)));
    }
    for (let number = 0; number < messages; number += 1) await deliverToAll(store, accounts, number);
    await store.settle();
  } finally {
    await store.close();
    await users.close();
  }
}

async function deliverToAll(store: Store, accounts: readonly AccountId[], number: number): Promise<void> {
  for (let from = 0; from < accounts.length; from += targetsAtOnce) {
    const octets = Buffer.from(`Subject: message ${number} of ${from}\r\n\r\n${'A line.\r\n'.repeat(20)}`);
    const trace = Buffer.from('Return-Path: <sender@example.net>\r\n');
    const targets = accounts.slice(from, from + targetsAtOnce).map((account) => ({ account, trace }));
    const results = await store.deliver(await store.take(octets), targets);
    if (!results.every(({ ok }) => ok)) throw new Error('a delivery was refused');
  }
}
