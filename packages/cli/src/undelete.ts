/** `mstore undelete` */
import { systemClock } from '@mstore/net';
import { type NamedAccount, type NamedMailbox, StoreError, UidSet, type WorkingStore } from '@mstore/store';
import type { Command } from 'commander';
import { checkedName, findAccount, withReading, withWriter } from './access.ts';
import { type Run, works } from './command.ts';
import { exit } from './errors.ts';
import { type KeptMessage, keptMailboxes, keptMessages, visibleMailboxes, type Wanted } from './kept.ts';
import { removedAccounts } from './removed.ts';
import { counted, humanTime, safeText } from './text.ts';
import { parseTime } from './time-option.ts';
import { listKept, messageLine, messageValue } from './undelete-list.ts';
import { listRemoved, restoreRemoved } from './undelete-user.ts';

const manual = `
Brings back what left sight of a user within the time it is kept ("retention.expunged", 7 days unless set otherwise), and says
what. With --list it only says what it would bring back.

  deleted mailboxes   come back with their messages, name, role, UIDs and UIDVALIDITY, and are subscribed to. Where the name
                      is taken, "NAME restored" is theirs
  expunged messages   come back to their mailbox, with dates, flags, keywords and thread, under a new UID. Nobody is kept from
                      it by a quota. The source of a move was not expunged: the message is where it was moved to
  a removed user      comes back with number, login, limits and aliases, and the account as it was. What was
                      expunged in it before needs another undelete. The address must be free

--since takes a time, as 2026-11-20 or 2026-11-20T10:00, or a span before now, as 2d or 3h. --mailbox is one mailbox, by the name
that it has or had. --account asks for the removed user, where there is none of that name now; without it that is what is
brought back then too. Where bringing a user back did not finish, do it again with --account. A message that is damaged is named,
and the others come back (exit code 1).`;

export interface UndeleteOptions {
  readonly user: string;
  readonly mailbox?: string;
  readonly since?: string;
  readonly list?: boolean;
  readonly account?: boolean;
}

export function addUndelete(program: Command): void {
  const command = program.command('undelete').description('bring back expunged mail, mailboxes and users');
  command.requiredOption('--user <name>', 'whose').option('--mailbox <name>', 'one mailbox only');
  command.option('--since <time>', 'only what left sight since then', checkedTime);
  command.option('--list', 'bring nothing back, only list').option('--account', 'a removed user, with the account');
  works<UndeleteOptions>(command.addHelpText('after', manual), undelete);
}

/** Checked when the command line is read, and read again when it counts. */
function checkedTime(text: string): string {
  parseTime(text, 0);
  return text;
}

async function undelete(run: Run, options: UndeleteOptions): Promise<number> {
  const { config } = await run.config();
  const since = options.since === undefined ? 0 : parseTime(options.since, systemClock.now());
  const wanted: Wanted = {
    since,
    ...(options.mailbox === undefined ? {} : { mailbox: checkedName(options.mailbox) }),
  };
  const { defaultDomain } = config.login;
  if (options.list === true) {
    return withReading(run, async (reading) => {
      const account = findAccount(reading.catalog(), options.user, defaultDomain);
      if (account !== undefined && options.account !== true) return listKept(run, reading, account, wanted);
      const removed = removedAccounts(reading, options.user, defaultDomain);
      if (removed.length === 0) throw nobody(options.user);
      return listRemoved(run, reading, removed);
    });
  }
  return withWriter(run, async (store) => {
    const account = findAccount(store.reading.catalog(), options.user, defaultDomain);
    if (account !== undefined && options.account !== true) return restoreKept(run, store, account, wanted);
    const [removed] = removedAccounts(store.reading, options.user, defaultDomain);
    if (account === undefined && removed === undefined) throw nobody(options.user);
    return restoreRemoved(run, store, { account, removed });
  });
}

function nobody(name: string): StoreError {
  return new StoreError('noAccount', `no account ${name}, and none of that name that was removed and is kept`);
}

interface Restored {
  readonly mailboxes: { id: number; name: string; was: string; messages: number; deletedAt: number }[];
  readonly messages: (ReturnType<typeof messageValue> & { newUid: number })[];
  /** Those that are damaged, and stay where they are. */
  readonly damaged: ReturnType<typeof messageValue>[];
}

async function restoreKept(run: Run, store: WorkingStore, account: NamedAccount, wanted: Wanted): Promise<number> {
  const restored: Restored = { mailboxes: [], messages: [], damaged: [] };
  for (const { id, row } of keptMailboxes(store.reading, account.id, wanted)) {
    const { name, messages } = await store.writer.restoreMailbox(id);
    restored.mailboxes.push({ id, name, was: row.name, messages, deletedAt: row.deletedAt });
  }
  // Those of mailboxes that just came back as well.
  const { mailbox: _, ...everywhere } = wanted;
  const own = new Set(restored.mailboxes.map(({ id }) => id));
  const mailboxes = visibleMailboxes(store.reading, account.id, everywhere).filter(
    ({ id, row }) => wanted.mailbox === undefined || row.name === wanted.mailbox || own.has(id),
  );
  const progress = run.progress('bringing back', 'messages');
  const total = mailboxes.reduce((sum, { row }) => sum + row.retainedMessages, 0);
  try {
    for (const { id, row } of mailboxes) {
      for await (const some of keptMessages(store.reading, id, wanted)) {
        const { pairs } = await store.writer.undelete(id, UidSet.of(some.map(({ entry }) => entry.uid)), id);
        addRestored(restored, store, { id, row }, some, new Map(pairs));
        progress.at(restored.messages.length, total);
      }
    }
  } finally {
    progress.stop();
  }
  await run.answer({ account: account.id, address: account.row.name, ...restored }, textOf(restored));
  return restored.damaged.length === 0 ? exit.done : exit.findings;
}

function addRestored(
  restored: Restored,
  store: WorkingStore,
  { id, row: { name } }: NamedMailbox,
  some: readonly KeptMessage[],
  pairs: ReadonlyMap<number, number>,
): void {
  const catalog = store.reading.catalog();
  for (const kept of some) {
    const newUid = pairs.get(kept.entry.uid);
    if (newUid !== undefined) restored.messages.push({ ...messageValue(catalog, name, kept), newUid });
    else if (catalog.retainedEntry(id, kept.entry.uid) !== undefined) {
      restored.damaged.push(messageValue(catalog, name, kept));
    }
  }
}

function textOf({ mailboxes, messages, damaged }: Restored): string {
  if (mailboxes.length + messages.length + damaged.length === 0) return 'Nothing that left sight is kept.\n';
  const lines = mailboxes.map(({ name, was, messages: count, deletedAt }) => {
    const now = name === was ? '' : `, now ${safeText(name)}`;
    return `mailbox ${safeText(was)}${now}, deleted ${humanTime(deletedAt)}, ${counted(count, 'message')}`;
  });
  for (const message of messages) lines.push(`${messageLine(message)}, now UID ${message.newUid}`);
  for (const message of damaged) lines.push(`${messageLine(message)}, stays: it is damaged, see \`mstore fsck\``);
  const what = [counted(mailboxes.length, 'mailbox', 'mailboxes'), counted(messages.length, 'message')];
  return `${lines.join('\n')}\n${what.join(' and ')} brought back.\n`;
}
