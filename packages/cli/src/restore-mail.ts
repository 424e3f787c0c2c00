/** `mstore restore --user`: mail out of a backup into the store that works, or a list of it. */
import {
  type BackupReading,
  type Catalog,
  type Entry,
  entrySlices,
  Holdings,
  isSameStore,
  type MailRestored,
  type MessageId,
  mailboxName,
  type NamedAccount,
  type NamedMailbox,
  openBackup,
  restoreMail,
  type WorkingStore,
} from '@mstore/store';
import { accountOf, findAccount, mailboxOf, withReading, withWriter } from './access.ts';
import type { Run } from './command.ts';
import { openAccount } from './directory.ts';
import { CommandError, exit } from './errors.ts';
import { withScratch } from './scratch.ts';
import { counted, humanBytes, humanTime, safeText, table } from './text.ts';

export interface MailOptions {
  readonly user: string;
  readonly mailbox?: string;
  readonly message?: string;
  readonly into?: string;
  readonly all?: boolean;
  readonly list?: boolean;
  readonly scratch?: string;
}

/** Opens the backup, whose catalog is made in a scratch folder, and does what was asked. */
export function restoreUser(run: Run, from: string, options: MailOptions): Promise<number> {
  return withScratch(options.scratch, async (scratch) => {
    const progress = run.progress('reading the backup', 'octets');
    const onProgress = (done: number, total: number): void => progress.at(done, total);
    const backup = await openBackup(from, { scratch, onProgress }).finally(progress.stop);
    try {
      return options.list === true ? await list(run, backup, options) : await restore(run, backup, options);
    } finally {
      await backup.close();
    }
  });
}

interface Chosen {
  readonly from: NamedAccount;
  readonly mailbox?: NamedMailbox;
  readonly only?: (entry: Entry, catalog: Catalog) => boolean;
}

/** @throws {StoreError} noAccount @throws CommandError noInput */
async function choose(run: Run, backup: BackupReading, options: MailOptions): Promise<Chosen> {
  const { defaultDomain } = (await run.config()).config.login;
  const from = accountOf(backup.catalog(), options.user, defaultDomain);
  const { mailbox: name, message } = options;
  return {
    from,
    ...(name !== undefined && { mailbox: mailboxOf(backup.catalog(), from, name) }),
    ...(message !== undefined && { only: chosenBy(message) }),
  };
}

/** By the number that --list shows, or by Message-ID. @throws CommandError usage */
function chosenBy(text: string): (entry: Entry, catalog: Catalog) => boolean {
  if (/^[1-9]\d{0,15}$/.test(text)) return (entry) => entry.email === Number(text);
  if (!text.includes('@')) {
    throw new CommandError(exit.usage, `--message ${text}: a number as --list shows them, or a Message-ID`);
  }
  const id = text.startsWith('<') ? text : `<${text}>`;
  return (entry, catalog) => fieldOf(catalog, entry.message, 'message-id') === id;
}

/** A header field's text, folded lines joined; empty without such a field. */
function fieldOf(catalog: Catalog, message: MessageId, name: string): string {
  const fields = catalog.message(message)?.listedFields.toString('utf8') ?? '';
  const value = new RegExp(`^${name}[ \\t]*:(.*(?:\\r?\\n[ \\t].*)*)`, 'im').exec(fields)?.[1] ?? '';
  return value.replace(/\r?\n[ \t]+/g, ' ').trim();
}

async function restore(run: Run, backup: BackupReading, options: MailOptions): Promise<number> {
  const { into, all } = options;
  const name = into === undefined ? undefined : mailboxNameOf(into);
  const chosen = await choose(run, backup, options);
  return withWriter(run, async (store: WorkingStore) => {
    const account = await openAccount(run, store, options.user);
    const progress = run.progress('restoring', 'messages');
    const onProgress = (done: number, total: number): void => progress.at(done, total);
    const wanted = { ...chosen, account, all: all === true, onProgress, ...(name !== undefined && { into: name }) };
    const report = await restoreMail(backup, store, wanted).finally(progress.stop);
    const { restored, skipped, failed, stopped } = report;
    if (options.message !== undefined && restored + skipped + failed.length === 0 && stopped === undefined) {
      throw new CommandError(exit.noInput, `the backup has no message ${options.message} there`);
    }
    return answer(run, report);
  });
}

/** @throws CommandError usage */
function mailboxNameOf(text: string): string {
  try {
    return mailboxName(text);
  } catch {
    throw new CommandError(exit.usage, `--into ${text}: no mailbox can bear that name`);
  }
}

async function answer(run: Run, report: MailRestored): Promise<number> {
  const { restored, skipped, mailboxes, made, failed, stopped } = report;
  if (!run.json) {
    for (const { mailbox, uid, reason } of failed)
      run.note(`not restored: ${safeText(mailbox)}, UID ${uid}: ${reason}`);
    if (stopped !== undefined) run.note(`ended before all was restored: ${stopped}`);
  }
  const places = Object.entries(mailboxes).map(
    ([name, count]) =>
      `  ${safeText(name)}: ${counted(count, 'message')}${made.includes(name) ? ', a new mailbox' : ''}\n`,
  );
  const still = skipped === 0 ? '' : `; ${counted(skipped, 'message')} still there`;
  const bad = failed.length === 0 ? '' : `; ${counted(failed.length, 'message')} could not be restored`;
  await run.answer(report, `${counted(restored, 'message')} restored${still}${bad}.\n${places.join('')}`);
  return failed.length === 0 && stopped === undefined ? exit.done : exit.findings;
}

/** What a row of the list says of a message. */
interface Listed {
  readonly id: number;
  readonly mailbox: string;
  readonly uid: number;
  readonly internalDate: number;
  readonly size: number;
  readonly isThere: boolean;
  readonly from: string;
  readonly subject: string;
}

/** Columns of a text that strangers wrote. */
const columnsMax = 40;

function list(run: Run, backup: BackupReading, options: MailOptions): Promise<number> {
  return withReading(run, async (reading) => {
    const { from, mailbox, only } = await choose(run, backup, options);
    const { defaultDomain } = (await run.config()).config.login;
    const account = findAccount(reading.catalog(), options.user, defaultDomain);
    const sameStore = isSameStore(backup, reading.catalog());
    const holdings =
      account === undefined ? undefined : await Holdings.of(() => reading.catalog(), account.id, sameStore);
    const listed: Listed[] = [];
    for (const source of mailbox === undefined ? [...backup.catalog().mailboxes(from.id)] : [mailbox]) {
      for await (const entries of entrySlices(() => backup.catalog(), source.id)) {
        const catalog = backup.catalog();
        for (const entry of entries) {
          if (only?.(entry, catalog) === false) continue;
          const isThere = holdings?.has(entry, catalog.message(entry.message)?.sha) === true;
          listed.push(listedOf(source, entry, catalog, isThere));
        }
      }
    }
    await run.answer({ messages: listed }, listText(listed));
    return exit.done;
  });
}

function listedOf(source: NamedMailbox, entry: Entry, catalog: Catalog, isThere: boolean): Listed {
  const { uid, internalDate, size, email, message } = entry;
  const from = fieldOf(catalog, message, 'from');
  const subject = fieldOf(catalog, message, 'subject');
  return { id: email, mailbox: source.row.name, uid, internalDate, size, isThere, from, subject };
}

function listText(listed: readonly Listed[]): string {
  const short = (text: string): string => safeText(text).slice(0, columnsMax);
  const rows = listed.map(({ id, mailbox, internalDate, size, isThere, from, subject }) => [
    String(id),
    short(mailbox),
    humanTime(internalDate),
    humanBytes(size),
    isThere ? 'there' : 'missing',
    short(from),
    short(subject),
  ]);
  const missing = listed.filter(({ isThere }) => !isThere).length;
  const sum = `${counted(listed.length, 'message')} in the backup, ${humanBytes(
    listed.reduce((total, { size }) => total + size, 0),
  )}; ${counted(missing, 'is', 'are')} missing from the store.\n`;
  return table([['message', 'mailbox', 'date', 'octets', 'store', 'from', 'subject'], ...rows]) + sum;
}
