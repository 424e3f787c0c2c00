/** `mstore purge` */
import {
  deletedMailboxes,
  type NamedAccount,
  type NamedMailbox,
  type Purged,
  StoreError,
  type WorkingStore,
} from '@mstore/store';
import type { Command } from 'commander';
import { checkedName, findAccount, withWriter } from './access.ts';
import { type Run, works } from './command.ts';
import { userOfAccount, withAdministration } from './directory.ts';
import { CommandError, exit } from './errors.ts';
import { removedAccounts } from './removed.ts';
import { counted, humanBytes } from './text.ts';

const manual = `
Ends the retention of all that left sight of a user, at once: expunged messages and deleted mailboxes, and of a removed user
the account. It cannot be brought back then. Sessions that still show a message lose it too: only here are the ten minutes not
kept that others have at least.

It says how many octets of the heap nothing names any more, which "mstore compact" gives back to the disk, and how many octets of
the same content stay since other mail holds them, of this account or of others. Mail that is visible is not touched.`;

interface PurgeOptions {
  readonly user: string;
  readonly mailbox?: string;
  readonly now?: boolean;
}

export function addPurge(program: Command): void {
  const command = program.command('purge').description('remove expunged mail for good, before its time');
  command.requiredOption('--user <name>', 'whose').option('--mailbox <name>', 'one mailbox only');
  command.option('--now', 'yes, for good').addHelpText('after', manual);
  works<PurgeOptions>(command, purge);
}

interface Report extends Purged {
  readonly mailboxes: number;
  readonly accounts: number;
}

async function purge(run: Run, { user, mailbox, now }: PurgeOptions): Promise<number> {
  if (now !== true)
    throw new CommandError(exit.usage, 'what is purged cannot be brought back: say --now if you mean it');
  const name = mailbox === undefined ? undefined : checkedName(mailbox);
  const { config } = await run.config();
  return withWriter(run, async (store) => {
    const account = findAccount(store.reading.catalog(), user, config.login.defaultDomain);
    const accounts =
      account === undefined ? removedAccounts(store.reading, user, config.login.defaultDomain) : [account];
    if (accounts.length === 0) {
      throw new StoreError('noAccount', `no account ${user}, and none of that name that was removed and is kept`);
    }
    let report: Report = { entries: 0, bytes: 0, reclaimed: 0, shared: 0, mailboxes: 0, accounts: 0 };
    const progress = run.progress('purging', 'messages');
    const total = accounts.reduce((sum, { row }) => sum + row.retainedMessages, 0);
    try {
      for (const one of accounts) {
        for (const found of mailboxesOf(store, one, name)) {
          report = added(report, await store.writer.purgeRetained(found.id), found);
          progress.at(report.entries, total);
        }
        if (one.row.deleted && name === undefined) {
          await purgeAccount(run, store, one);
          report = { ...report, accounts: report.accounts + 1 };
        }
      }
    } finally {
      progress.stop();
    }
    await run.answer({ user, ...report }, textOf(report));
    return exit.done;
  });
}

/** Live ones with expunged messages, and deleted ones. */
function mailboxesOf({ reading }: WorkingStore, account: NamedAccount, name: string | undefined): NamedMailbox[] {
  const catalog = reading.catalog();
  const found = [...catalog.mailboxes(account.id)].filter(({ row }) => row.retainedMessages > 0);
  for (const id of deletedMailboxes(catalog, account.id)) {
    const row = catalog.mailbox(id);
    if (row !== undefined) found.push({ id, row });
  }
  return name === undefined ? found : found.filter(({ row }) => row.name === name);
}

/** Of the account nothing is left; nor is of the user, where there was one. */
async function purgeAccount(run: Run, { writer }: WorkingStore, { id }: NamedAccount): Promise<void> {
  await writer.purgeAccount(id);
  await withAdministration(run, (administration) => administration.forgetRemoved(userOfAccount(id)));
}

function added(report: Report, purged: Purged, { row }: NamedMailbox): Report {
  return {
    ...report,
    entries: report.entries + purged.entries,
    bytes: report.bytes + purged.bytes,
    reclaimed: report.reclaimed + purged.reclaimed,
    shared: report.shared + purged.shared,
    mailboxes: report.mailboxes + (row.deleted ? 1 : 0),
  };
}

function textOf({ entries, bytes, reclaimed, shared, mailboxes, accounts }: Report): string {
  const whole = mailboxes === 0 ? '' : `, ${counted(mailboxes, 'deleted mailbox', 'deleted mailboxes')}`;
  const gone = accounts === 0 ? '' : `, ${counted(accounts, 'removed account')}`;
  return (
    `${counted(entries, 'message')} of ${humanBytes(bytes)}${whole}${gone} purged for good.\n` +
    `${humanBytes(reclaimed)} of the heap have no use any more; compaction gives them back.\n` +
    `${humanBytes(shared)} of the same content stay: other mail holds them.\n`
  );
}
