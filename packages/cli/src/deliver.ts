/** `mstore deliver` */
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Directory } from '@mstore/directory';
import {
  Delivery,
  type DeliveryOutcome,
  type DeliveryRequest,
  deliverySettings,
  dropFromLine,
  type Recipient,
  type Refusal,
  type RefusalKind,
  reversePathOf,
} from '@mstore/lda';
import { systemClock } from '@mstore/net';
import type { Catalog, Config, NamedAccount, WorkingStore } from '@mstore/store';
import { type Command, CommanderError } from 'commander';
import { findAccount, withWriter } from './access.ts';
import { type Run, works } from './command.ts';
import { openDirectory, userOfAccount } from './directory.ts';
import { CommandError, exit, failureOf } from './errors.ts';
import { counted, safeText } from './text.ts';

const manual = `
Delivers one message, from FILE or standard input, to each --user: the address of a user or of an alias. It gets Return-Path,
Delivered-To and Received on top; a leading mbox "From " line is dropped; line ends become CRLF, and a missing last one is added.
NAME+DETAIL@DOMAIN is delivered to the mailbox DETAIL if there is one, else to INBOX (delivery.detail in mstore.toml may say
"create"). All get the message or nobody does, up to 100 mailboxes; beyond, what changes while they are served can leave some
without it: the exit code is then 75, and the mail server tries again for all.

An account that the directory does not know (made before there was one) gets mail by its name.

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

/** What a refusal is to a mail server; what it can try again says 75. */
const exits: Readonly<Record<RefusalKind, number>> = {
  badAddress: exit.noUser,
  unknownUser: exit.noUser,
  foreign: exit.noUser,
  loop: exit.tryAgain,
  tooManyTargets: exit.tryAgain,
  notHere: exit.tryAgain,
  overQuota: exit.tryAgain,
  tooLarge: exit.badData,
  tooManyRecipients: exit.tryAgain,
  unavailable: exit.tryAgain,
  diskFull: exit.tryAgain,
  storage: exit.tryAgain,
};

/** The directory does not know them; the store may. */
const unknown: ReadonlySet<RefusalKind> = new Set<RefusalKind>(['badAddress', 'unknownUser', 'foreign', 'unavailable']);

async function deliver(run: Run, options: DeliverOptions): Promise<number> {
  const users = options.user ?? [];
  if (users.length === 0) throw new CommandError(exit.tryAgain, 'nobody to deliver to: give -d ADDRESS');
  const sender = reversePathOf(options.sender);
  if (sender === undefined)
    throw new CommandError(exit.tryAgain, `the sender is no address: ${safeText(options.sender ?? '')}`);
  const [file] = run.args;
  if (file !== undefined && (await stat(file)).isDirectory())
    throw new CommandError(exit.tryAgain, `${file}: is a directory`);
  const { config } = await run.config();
  const directory = await openDirectory(run);
  try {
    return await withWriter(run, async (store) => {
      const delivery = deliveryTo(store, directory, config);
      const recipients: Recipient[] = [];
      for (const given of users) recipients.push(await recipientOf(delivery, store, config, given));
      const octets = file === undefined ? process.stdin : createReadStream(file, { highWaterMark: 262_144 });
      const message = await store.writer.take(dropFromLine(octets), { finalLineEnd: true });
      const id = randomBytes(8).toString('hex');
      const trace = { id, sender, protocol: 'local', peerName: '', peerAddress: '' };
      const request: DeliveryRequest = { message, recipients, trace, allOrNone: true };
      return report(run, id, recipients, await delivery.deliver(request));
    });
  } finally {
    await directory.close();
  }
}

function deliveryTo({ writer, reading }: WorkingStore, directory: Directory, config: Config): Delivery {
  const settings = deliverySettings(config);
  return new Delivery({ directory, writer, catalog: () => reading.catalog(), settings, clock: systemClock });
}

/** Who is behind an address. @throws CommandError */
async function recipientOf(
  delivery: Delivery,
  { reading }: WorkingStore,
  config: Config,
  given: string,
): Promise<Recipient> {
  const accepted = await delivery.accept(given);
  if (accepted.ok) return accepted;
  const own = unknown.has(accepted.kind) ? ownAccount(reading.catalog(), config, given) : undefined;
  if (own === undefined) throw refused(given, accepted);
  return own;
}

/** An account by its name, with a detail or without one, as if the directory had it as the store does. */
function ownAccount(catalog: Catalog, { delivery, login }: Config, given: string): Recipient | undefined {
  const whole = findAccount(catalog, given, login.defaultDomain);
  if (whole !== undefined) return recipient(given, whole, undefined);
  const { detailSeparator } = delivery;
  const end = given.includes('@') ? given.lastIndexOf('@') : given.length;
  const at = detailSeparator === '' ? -1 : given.slice(0, end).indexOf(detailSeparator);
  if (at < 1) return undefined;
  const base = findAccount(catalog, given.slice(0, at) + given.slice(end), login.defaultDomain);
  const detail = given.slice(at + detailSeparator.length, end);
  return base === undefined ? undefined : recipient(given, base, detail === '' ? undefined : detail);
}

function recipient(given: string, { id, row }: NamedAccount, detail: string | undefined): Recipient {
  const { quotaBytes, quotaMessages, createdAt } = row;
  const address = row.name.toLowerCase();
  const userId = userOfAccount(id);
  const target = detail === undefined ? { userId, address } : { userId, address, detail };
  const user = { id: userId, address, quotaBytes, quotaMessages, disabled: false, createdMs: createdAt * 1_000 };
  return { ok: true, given, targets: [target], users: [user] };
}

function refused(given: string, { kind, text }: Refusal): CommandError {
  return new CommandError(exits[kind], `not delivered to ${given}: ${text}`);
}

async function report(
  run: Run,
  id: string,
  recipients: readonly Recipient[],
  outcomes: readonly DeliveryOutcome[],
): Promise<number> {
  const delivered = [];
  for (const [at, outcome] of outcomes.entries()) {
    const user = recipients[at]?.given ?? '';
    // Nobody got it, for whatever stood against one of them.
    if (!outcome.ok) throw refused(recipients.length === 1 ? user : 'anybody', outcome);
    for (const { mailboxName: mailbox, uid, size } of outcome.placed) delivered.push({ user, mailbox, uid, size });
  }
  const lines = delivered.map(
    ({ user, mailbox, uid, size }) => `${user}: ${mailbox}, UID ${uid}, ${counted(size, 'octet')}\n`,
  );
  // A pipe's output may end up in a bounce: silent unless asked.
  await run.answer({ id, delivered }, process.stdout.isTTY === true ? lines.join('') : '');
  return exit.done;
}
