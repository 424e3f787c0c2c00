/** `mstore deliver` */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import {
  type AccountId,
  type Catalog,
  type DeliveryResult,
  type DeliveryTarget,
  inbox,
  isStoreError,
  type MailboxId,
  machinePorts,
  mailboxName,
  type NamedAccount,
  StoreError,
  type WorkingStore,
} from '@mstore/store';
import { type Command, CommanderError } from 'commander';
import { findAccount, withWriter } from './access.ts';
import { type Run, works } from './command.ts';
import { ensureAccount, withDirectory } from './directory.ts';
import { CommandError, exit, failureOf } from './errors.ts';
import { dropFromLine } from './from-line.ts';
import { counted } from './text.ts';
import { newDelivery, reversePathOf, traceLines } from './trace.ts';

const manual = `
Delivers one message, from FILE or standard input, to each --user. It gets Return-Path, Delivered-To and Received on top; a
leading mbox "From " line is dropped; line ends become CRLF, and a missing last one is added. NAME+DETAIL is delivered to
the mailbox DETAIL of account NAME if there is one, else to INBOX (delivery.detail in mstore.toml may say "create").
Several users: all are looked up, and their quotas, before anything is stored. What changes in between can still leave some
served and some not: the exit code is then 75, and the mail server tries again for all.

Exit codes are made for mail servers: 0 the message is on disk, 67 an unknown user, 65 too large, and 75, try again later,
for everything else, wrong options included.`;

interface DeliverOptions {
  readonly sender?: string;
  readonly user?: readonly string[];
}

export function addDeliver(program: Command): void {
  const command = program
    .command('deliver')
    .description('deliver a message')
    .argument('[file]', 'the message; standard input by default')
    .option('-f, --sender <address>', 'the reverse-path; null by default')
    .option('-d, --user <name>', 'a recipient; may be given more than once', collect)
    .addHelpText('after', manual)
    .exitOverride((error) => {
      throw new CommanderError(error.exitCode === 0 ? exit.done : exit.tryAgain, error.code, error.message);
    });
  works<DeliverOptions>(command, async (run, options) => {
    try {
      return await deliver(run, options);
    } catch (error) {
      const failure = failureOf(error);
      const kept = failure.exit === exit.noUser || failure.exit === exit.badData ? failure.exit : exit.tryAgain;
      throw new CommandError(kept, failure.text);
    }
  });
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Whom to deliver to, as the command line had it. */
interface Recipient {
  readonly given: string;
  readonly account: NamedAccount;
  readonly detail: string | undefined;
}

async function deliver(run: Run, options: DeliverOptions): Promise<number> {
  const users = options.user ?? [];
  if (users.length === 0) throw new CommandError(exit.tryAgain, 'nobody to deliver to: give --user NAME');
  const reversePath = reversePathOf(options.sender);
  const [file] = run.args;
  if (file !== undefined && (await stat(file)).isDirectory())
    throw new CommandError(exit.tryAgain, `${file}: is a directory`);
  const { config } = await run.config();
  return withWriter(run, async (store) => {
    const recipients = await recipientsOf(run, store, users);
    if (config.delivery.detail === 'create') await createDetails(store, recipients);
    const octets = file === undefined ? process.stdin : createReadStream(file, { highWaterMark: 262_144 });
    const message = await store.writer.take(dropFromLine(octets), { finalLineEnd: true });
    const delivery = newDelivery(reversePath, machinePorts.clock.now());
    const targets = recipients.map(({ given, account, detail }): DeliveryTarget => {
      const trace = traceLines(delivery, given);
      return detail === undefined ? { account: account.id, trace } : { account: account.id, mailbox: detail, trace };
    });
    checkQuotas(store.reading.catalog(), targets, message.size);
    const results = await store.writer.deliver(message, targets);
    return report(run, delivery.id, recipients, results);
  });
}

/** Everybody behind these addresses. @throws {StoreError} noAccount */
async function recipientsOf(run: Run, store: WorkingStore, users: readonly string[]): Promise<Recipient[]> {
  const recipients: Recipient[] = [];
  for (const given of users) recipients.push(...(await recipientsBehind(run, store, given)));
  return recipients;
}

async function recipientsBehind(run: Run, store: WorkingStore, given: string): Promise<Recipient[]> {
  return withDirectory(run, async (directory) => {
    const resolution = await directory.resolve(given);
    if (resolution.kind !== 'found') return [ownAccount(store.reading.catalog(), given)];
    const recipients: Recipient[] = [];
    for (const { userId, detail } of resolution.targets) {
      const user = await directory.user(userId);
      const id = user === undefined ? undefined : await ensureAccount(store, user);
      const row = id === undefined ? undefined : store.reading.catalog().account(id);
      if (id !== undefined && row !== undefined) recipients.push({ given, account: { id, row }, detail });
    }
    return recipients;
  });
}

/** `name`, or `name+detail`, of an account that is no user's. @throws {StoreError} noAccount */
function ownAccount(catalog: Catalog, given: string): Recipient {
  const whole = findAccount(catalog, given);
  if (whole !== undefined) return { given, account: whole, detail: undefined };
  const match = /^([^+@]+)\+([^@]*)(@.*)?$/s.exec(given);
  const account = match === null ? undefined : findAccount(catalog, `${match[1]}${match[3] ?? ''}`);
  if (account === undefined) throw new StoreError('noAccount', `no account ${given}`);
  return { given, account, detail: match?.[2] === '' ? undefined : match?.[2] };
}

/** Makes the mailboxes that details name. A name that no mailbox can bear leads to INBOX. */
async function createDetails({ writer, reading }: WorkingStore, recipients: readonly Recipient[]): Promise<void> {
  for (const { account, detail } of recipients) {
    if (detail === undefined) continue;
    try {
      if (reading.catalog().mailboxNamed(account.id, mailboxName(detail)) !== undefined) continue;
      await writer.createMailbox(account.id, detail);
    } catch (error) {
      if (!isStoreError(error, 'badName') && !isStoreError(error, 'mailboxExists')) throw error;
    }
  }
}

/** Refuses before anything is stored; the writer decides again. @throws {StoreError} overQuota */
function checkQuotas(catalog: Catalog, targets: readonly DeliveryTarget[], bytes: number): void {
  const needs = new Map<AccountId, { bytes: number; messages: number }>();
  const mailboxes = new Set<MailboxId>();
  for (const { account, mailbox, trace } of targets) {
    const id = mailboxFor(catalog, account, mailbox);
    // A mailbox gets one copy, however many recipients lead to it.
    if (id === undefined || mailboxes.has(id)) continue;
    mailboxes.add(id);
    const need = needs.get(account) ?? { bytes: 0, messages: 0 };
    needs.set(account, { bytes: need.bytes + bytes + trace.length, messages: need.messages + 1 });
  }
  for (const [account, need] of needs) {
    const row = catalog.account(account);
    if (row === undefined) continue;
    const tooLarge = row.quotaBytes > 0 && row.bytes + need.bytes > row.quotaBytes;
    const tooMany = row.quotaMessages > 0 && row.messages + need.messages > row.quotaMessages;
    if (tooLarge || tooMany) throw new StoreError('overQuota', `account ${row.name} is over quota`);
  }
}

/** Where the writer will put it: the detail's mailbox if there is one, else INBOX. */
function mailboxFor(catalog: Catalog, account: AccountId, detail: string | undefined): MailboxId | undefined {
  try {
    const named = detail === undefined ? undefined : catalog.mailboxNamed(account, mailboxName(detail));
    if (named !== undefined) return named.id;
  } catch (error) {
    if (!isStoreError(error, 'badName')) throw error;
  }
  return catalog.mailboxNamed(account, inbox)?.id;
}

async function report(
  run: Run,
  id: string,
  recipients: readonly Recipient[],
  results: readonly DeliveryResult[],
): Promise<number> {
  const refused = results.flatMap((result, at) => (result.ok ? [] : [`${recipients[at]?.given}: ${result.message}`]));
  if (refused.length > 0) throw new CommandError(exit.tryAgain, `not delivered to ${refused.join(', ')}`);
  const placed = results.flatMap((result, at) =>
    result.ok
      ? [
          {
            user: recipients[at]?.given ?? '',
            mailbox: result.placed.mailboxName,
            uid: result.placed.uid,
            size: result.placed.size,
          },
        ]
      : [],
  );
  const lines = placed.map(
    ({ user, mailbox, uid, size }) => `${user}: ${mailbox}, UID ${uid}, ${counted(size, 'octet')}\n`,
  );
  // A pipe's output may end up in a bounce: silent unless asked.
  await run.answer({ id, delivered: placed }, process.stdout.isTTY === true ? lines.join('') : '');
  return exit.done;
}
