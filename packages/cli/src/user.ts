/** `mstore user` */
import { readFile } from 'node:fs/promises';
import { type Catalog, type MailWriter, parseBytes, StoreError } from '@mstore/store';
import { type Command, InvalidArgumentError } from 'commander';
import { accountOf, findAccount, withReading, withWriter } from './access.ts';
import { normalAccountName } from './account-name.ts';
import { type Run, works } from './command.ts';
import { CommandError, exit } from './errors.ts';
import { counted, humanBytes, humanCount, safeText, table } from './text.ts';
import { parseUserFile, type UserLine } from './user-file.ts';

const addManual = `
Makes an account with INBOX, Drafts, Sent, Junk, Trash and Archive. NAME is the address mail is delivered to; letter case
does not matter, and a domain is the same in its own letters and as xn--. Without a quota, or with 0, it is unlimited.`;

const removeManual = `
Removes the account at once: its mail counts as expunged, and its name is free for another account.`;

const importManual = `
Each line of FILE ("-" is standard input) is

    address password-or-{SCHEME}hash [quota]

with blanks or tabs between; the quota is octets, or a number with K, M, G or T. Lines that are empty or begin with # are
skipped. Accounts that exist get the line's quota; without one they keep theirs. Nothing is done when a line cannot be read.

The directory (packages/directory) is not connected yet: passwords are checked for their form only, AND ARE NOT STORED.`;

interface AddOptions {
  readonly quota?: number;
  readonly quotaMessages?: number;
}

export function addUser(program: Command): void {
  const user = program.command('user').description('accounts');
  const add = user
    .command('add')
    .description('make an account')
    .argument('<name>', 'an address')
    .addHelpText('after', addManual);
  add.option('--quota <octets>', 'most octets of mail, as 1G', bytesOption);
  add.option('--quota-messages <n>', 'most messages', countOption);
  works<AddOptions>(add, addAccount);
  works(user.command('list').description('all accounts'), listAccounts);
  const remove = user.command('remove').description('remove an account').argument('<name>', 'an address');
  works(remove.addHelpText('after', removeManual), removeAccount);
  const load = user
    .command('import')
    .description('make and update accounts from a list')
    .argument('<file>', 'the list');
  works(load.addHelpText('after', importManual), importAccounts);
}

function bytesOption(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined) throw new InvalidArgumentError('A number of octets, or a number with K, M, G or T.');
  return bytes;
}

function countOption(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('A whole number.');
  return Number(text);
}

function addAccount(run: Run, options: AddOptions): Promise<number> {
  return withWriter(run, async ({ writer }) => {
    const name = normalAccountName(run.arg(0));
    const { quota = 0, quotaMessages = 0 } = options;
    const { account } = await writer.createAccount(name);
    if (quota > 0 || quotaMessages > 0) await writer.setQuota(account, quota, quotaMessages);
    await run.answer({ account, name, quota, quotaMessages }, `Account ${safeText(name)} is number ${account}.\n`);
    return exit.done;
  });
}

function listAccounts(run: Run): Promise<number> {
  return withReading(run, async (reading) => {
    const live = [...reading.catalog().accounts()].filter(({ row }) => !row.deleted);
    const accounts = live.map(({ id, row }) => {
      const { name, mailboxes, messages, bytes, quotaBytes, quotaMessages, createdAt } = row;
      return { account: id, name, mailboxes, messages, bytes, quota: quotaBytes, quotaMessages, createdAt };
    });
    const rows = accounts.map((a) => [
      String(a.account),
      safeText(a.name),
      humanCount(a.messages),
      humanBytes(a.bytes),
      a.quota === 0 ? '-' : humanBytes(a.quota),
      a.quotaMessages === 0 ? '-' : humanCount(a.quotaMessages),
    ]);
    const head = ['number', 'name', 'messages', 'octets', 'quota', 'messages allowed'];
    await run.answer({ accounts }, rows.length === 0 ? 'no accounts\n' : table([head, ...rows]));
    return exit.done;
  });
}

function removeAccount(run: Run): Promise<number> {
  return withWriter(run, async ({ writer, reading }) => {
    const { id, row } = accountOf(reading.catalog(), run.arg(0));
    await writer.deleteAccount(id);
    const text = `Account ${safeText(row.name)} is gone, with ${counted(row.messages, 'message')}.\n`;
    await run.answer({ account: id, name: row.name, messages: row.messages, bytes: row.bytes }, text);
    return exit.done;
  });
}

async function importAccounts(run: Run): Promise<number> {
  const file = run.arg(0);
  const { lines, problems } = parseUserFile(await textOf(file));
  const [first] = problems;
  if (first !== undefined) {
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more; nothing was done)` : ' (nothing was done)';
    throw new CommandError(exit.badData, `${file}, line ${first.line}: ${first.problem}${more}`);
  }
  return withWriter(run, async ({ writer, reading }) => {
    let added = 0;
    let updated = 0;
    for (let at = 0; at < lines.length; at += 100) {
      const catalog = reading.catalog();
      const work = lines.slice(at, at + 100).map((line) => setAccount(writer, catalog, line));
      for (const isNew of await Promise.all(work)) isNew ? added++ : updated++;
    }
    if (lines.length > 0)
      run.note('passwords were not stored: the directory (packages/directory) is not connected yet');
    const text = `${counted(added, 'account')} added, ${humanCount(updated)} updated.\n`;
    await run.answer({ added, updated, passwordsStored: false }, text);
    return exit.done;
  });
}

async function textOf(file: string): Promise<string> {
  if (file !== '-') return readFile(file, 'utf8');
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString('utf8');
}

/** True when the account is new. */
async function setAccount(writer: MailWriter, catalog: Catalog, line: UserLine): Promise<boolean> {
  const known = findAccount(catalog, line.address);
  const id =
    known?.id ?? (await writer.createAccount(normalAccountName(line.address)).catch(nameProblem(line))).account;
  if (line.quota !== undefined && line.quota !== (known?.row.quotaBytes ?? 0)) {
    await writer.setQuota(id, line.quota, known?.row.quotaMessages ?? 0);
  }
  return known === undefined;
}

function nameProblem(line: UserLine): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof StoreError)) throw error;
    throw new StoreError(error.code, `line ${line.line}: ${error.message}`, error.details, error);
  };
}
