/**
 * The writing process of `kill.test.ts`: is the writer of the store it is told, lets many callers append, deliver, copy and set
 * flags at once, and prints a line for each message after its answer came: mailbox, UID, SHA-256 of its octets.
 */
import { brandNumber, inbox, type MailboxId, UidSet, workOn } from '@mstore/store';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { shaOf } from '../support/traffic.ts';

const [directory, seed] = process.argv.slice(2);
if (directory === undefined) throw new Error('usage: storm DIRECTORY SEED');

const callers = 12;
const working = await workOn(directory, { segmentBytes: 262_144, idleCommitMs: 20 });
const { writer, reading } = working;
const random = seededRandom(Number(seed));

const { account } = await writer.createAccount(`storm${seed}@example.org`);
const box = reading.catalog().mailboxNamed(account, inbox);
if (box === undefined) throw new Error('an account has an INBOX');
process.stdout.write('ready\n');

function tell(mailbox: number, uid: number, sha: string): void {
  process.stdout.write(`${mailbox} ${uid} ${sha}\n`);
}

async function call(mailbox: MailboxId, source: MessageSource, chance: () => number): Promise<void> {
  const octets = source.next();
  const message = await writer.take(octets);
  if (chance() < 0.5) {
    const trace = Buffer.from(`Delivered-To: storm${seed}@example.org\r\n`);
    const [result] = await writer.deliver(message, [{ account, trace }]);
    if (result?.ok) tell(result.placed.mailbox, result.placed.uid, shaOf(Buffer.concat([trace, octets])));
    return;
  }
  const [placed] = await writer.append(mailbox, [{ message, flags: 0, keywords: ['red'] }]);
  if (placed === undefined) return;
  tell(placed.mailbox, placed.uid, shaOf(octets));
  const uids = UidSet.of([placed.uid]);
  await writer.setFlags({ mailbox, uids, mode: 'add', flags: 1, keywords: [] });
  if (chance() > 0.3) return;
  const { pairs } = await writer.copy(mailbox, uids, mailbox);
  for (const [, uid] of pairs) tell(mailbox, uid, shaOf(octets));
}

async function forEver(): Promise<void> {
  const own = random.fork();
  const source = new MessageSource(own.fork());
  for (;;) await call(brandNumber<MailboxId>(box?.id ?? 0), source, () => own.next());
}

await Promise.all(Array.from({ length: callers }, forEver));
