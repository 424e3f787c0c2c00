/** `mstore user list` */
import type { Directory, DirectoryAdministration, User } from '@mstore/directory';
import type { AccountId, NamedAccount, StoreReading } from '@mstore/store';
import { withReading } from './access.ts';
import type { Run } from './command.ts';
import { accountOfUser, withAdministration, withDirectory } from './directory.ts';
import { exit } from './errors.ts';
import { allPages, answerList, pageRows } from './list.ts';
import { humanBytes, humanCount, safeText } from './text.ts';
import { hasUser, type Usage, usageOfAccount, usageOfUser } from './user-usage.ts';

export const listManual = `
Users of the directory, by domain and name, with the mail of their accounts; one who got no mail yet and never logged in has
none. Then come accounts that are no user's ("no user"): "mstore user add" gives them to a user again, "mstore user remove"
removes them.`;

const widths = [10, 11, 9, 9, 11] as const;

export function listUsers(run: Run): Promise<number> {
  return withReading(run, (reading) =>
    withDirectory(run, (directory) =>
      withAdministration(run, async (administration) => {
        const head = line(['number', 'messages', 'octets', 'quota', 'allowed'], 'state', 'address');
        const text = { head, line: lineOf, none: 'no users\n' };
        await answerList(run, 'users', usages(reading, directory, administration), text);
        return exit.done;
      }),
    ),
  );
}

async function* usages(
  reading: StoreReading,
  directory: Directory,
  administration: DirectoryAdministration,
): AsyncGenerator<Usage> {
  const users = allPages<User>((last) =>
    administration.users({ limit: pageRows, ...(last === undefined ? {} : { after: last.address }) }),
  );
  for await (const user of users) yield usageOfUser(user, accountOfUser(reading, user));
  for await (const account of allPages(async (last: NamedAccount | undefined) => accountsAfter(reading, last?.id))) {
    if (!account.row.deleted && !(await hasUser(directory, account))) yield usageOfAccount(account);
  }
}

/** A page of accounts, deleted ones too. */
function accountsAfter(reading: StoreReading, after: AccountId | undefined): NamedAccount[] {
  const page: NamedAccount[] = [];
  for (const account of reading.catalog().accounts(after)) {
    page.push(account);
    if (page.length === pageRows) break;
  }
  return page;
}

function lineOf(usage: Usage): string {
  const numbers = [
    String(usage.id),
    humanCount(usage.messages),
    humanBytes(usage.bytes),
    usage.quota === 0 ? '-' : humanBytes(usage.quota),
    usage.quotaMessages === 0 ? '-' : humanCount(usage.quotaMessages),
  ];
  const state = usage.inDirectory ? (usage.disabled ? 'disabled' : 'user') : 'no user';
  return line(numbers, state, safeText(usage.address));
}

/** Of the same widths however long the list is; names come last, as they may be of any length. */
function line(numbers: readonly string[], state: string, address: string): string {
  // A blank before each, so that long ones stay apart.
  const cells = numbers.map((cell, at) => ` ${cell.padStart((widths[at] ?? 1) - 1)}`);
  return `${cells.join('')}  ${state.padEnd(8)}  ${address}\n`;
}
