/** `mstore quota` */
import { formatAddress, type Quota, type User } from '@mstore/directory';
import { StoreError, type WorkingStore } from '@mstore/store';
import type { Command } from 'commander';
import { findAccount, withReading, withWriter } from './access.ts';
import { type Run, works } from './command.ts';
import { accountOfUser, ensureAccount, userNamed, withAdministration, withDirectory } from './directory.ts';
import { exit } from './errors.ts';
import { safeText, table } from './text.ts';
import { bytesOption, countOption } from './user.ts';
import { bytesText, countText, findUsage } from './user-usage.ts';

const manual = `
Shows what a user has and may have: visible messages and their octets. With an option it sets that limit; 0 is none, and the
other one stays. It counts at once. Mail that is there stays there.`;

interface QuotaOptions {
  readonly octets?: number;
  readonly messages?: number;
}

export function addQuota(program: Command): void {
  const command = program.command('quota').description("show or set a user's limits");
  command.argument('<address>', "the user's address");
  command.option('--octets <octets>', 'most octets of mail, as 1G', bytesOption);
  command.option('--messages <n>', 'most messages', countOption);
  works<QuotaOptions>(command.addHelpText('after', manual), quota);
}

async function quota(run: Run, { octets, messages }: QuotaOptions): Promise<number> {
  const wanted = {
    ...(octets === undefined ? {} : { quotaBytes: octets }),
    ...(messages === undefined ? {} : { quotaMessages: messages }),
  };
  if (octets !== undefined || messages !== undefined) await setQuota(run, wanted);
  return withReading(run, (reading) =>
    withDirectory(run, async (directory) => {
      const { usage } = await findUsage(run, reading, directory, run.arg(0));
      const rows = [
        ['address', safeText(usage.address)],
        ['octets', bytesText(usage.bytes, usage.quota)],
        ['messages', countText(usage.messages, usage.quotaMessages)],
      ];
      await run.answer(usage, table(rows));
      return exit.done;
    }),
  );
}

/** Sets it in the directory, and for the account that is there. */
function setQuota(run: Run, wanted: Quota): Promise<void> {
  return withWriter(run, async (store) => {
    const named = await withDirectory(run, (directory) => userNamed(directory, run.arg(0)));
    if (named === undefined) return setOfAccount(run, store, wanted);
    const user: User = await withAdministration(run, (administration) =>
      administration.setQuota(formatAddress(named.address), wanted),
    );
    if (accountOfUser(store.reading, user) !== undefined) await ensureAccount(store, user);
  });
}

/** Of an account that is no user's. @throws {StoreError} noAccount */
async function setOfAccount(run: Run, { writer, reading }: WorkingStore, wanted: Quota): Promise<void> {
  const { config } = await run.config();
  const account = findAccount(reading.catalog(), run.arg(0), config.login.defaultDomain);
  if (account === undefined) throw new StoreError('noAccount', `no user and no account ${run.arg(0)}`);
  const { quotaBytes, quotaMessages } = { ...account.row, ...wanted };
  await writer.setQuota(account.id, quotaBytes, quotaMessages);
}
