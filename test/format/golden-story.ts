/**
 * The life of a small store, told to any release that can: every type of record, every kind of event, and mail of every shape
 * that the store treats in its own way. `make-golden.ts` keeps what it leaves on disk. Only what a store's face and the log's
 * encoders offer is used, so that a later release can tell the same story.
 */
import {
  type AccountId,
  brandNumber,
  flag,
  type MailboxId,
  type ModSeq,
  Store,
  type StoreOptions,
  type StorePorts,
  UidSet,
} from '@mstore/store';
import { Heap } from '@mstore/store/internal/heap/heap';
import type { EventBody } from '@mstore/store/internal/log/events';
import { encodeEvent } from '@mstore/store/internal/log/records';
import { multipart, wrapped } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';

/** Small, so that the story fills several. */
const segmentBytes = 16_384;

/** The store's machine after a clean stop. Releases of format 1 can tell it, too. */
export async function tellStory(
  create: (directory: string, options: StoreOptions) => Promise<void>,
): Promise<SimMachine> {
  const machine = new SimMachine({ seed: 41 });
  const options = storyOptions(machine);
  await create(simDirectory, options);
  const { after, dora } = await firstLife(machine, options);
  await secondLife(after, storyOptions(after), dora);
  return after;
}

/** How a store of the story is opened. */
export function storyOptions({ ports }: { readonly ports: StorePorts }): StoreOptions {
  return { ports, segmentBytes, idleCommitMs: 0 };
}

/** People, mail and mailboxes; ends as a killed process does. */
async function firstLife(
  machine: SimMachine,
  options: StoreOptions,
): Promise<{ readonly after: SimMachine; readonly dora: AccountId }> {
  const store = await Store.open(simDirectory, options);
  const teller = new Teller(store, machine);
  const anna = (await store.createAccount('anna')).account;
  const bert = (
    await store.ensureAccount({
      id: brandNumber<AccountId>(20),
      name: 'bert@example.org',
      quotaBytes: 9_000_000,
      quotaMessages: 0,
    })
  ).account;
  const cleo = (await store.createAccount('cleo')).account;
  const dora = (await store.createAccount('dora')).account;
  await store.renameAccount(cleo, 'cléo');
  await store.setQuota(anna, 50_000_000, 1_000);
  await teller.deliver(mail.plain, [anna, bert, cleo, dora]);
  await teller.deliver(mail.reply, [anna]);
  await teller.deliver(mail.attached, [anna, bert]);
  await teller.deliver(mail.attachedAgain, [anna]);
  await teller.deliver(mail.large, [anna, cleo]);
  await teller.deliver(mail.manyAddressees, [bert]);
  for (const odd of [mail.noHeader, mail.noLineEnd, mail.octets, mail.nested]) await teller.deliver(odd, [anna]);
  await mailboxesOf(teller, anna);
  await entriesOf(teller, anna);
  await goneMail(teller, bert);
  await store.deleteMailbox(await teller.mailbox(cleo, 'Junk'));
  // A large message whose sender went away leaves chunks that nothing names.
  store.discard(await store.take(mail.largeForgotten()));
  await store.settle();
  const after = machine.kill();
  await store.close();
  return { after, dora };
}

async function mailboxesOf({ store }: Teller, anna: AccountId): Promise<void> {
  const { mailbox: work } = await store.createMailbox(anna, 'Work');
  await store.createMailbox(anna, 'Work/2026');
  await store.createMailbox(anna, 'Wörk/Ümläute');
  await store.renameMailbox(work, 'Office');
  // A name that another mailbox bore.
  await store.createMailbox(anna, 'Work');
  const { mailbox: once } = await store.createMailbox(anna, 'Once');
  await store.deleteMailbox(once);
  const { mailbox: flagged } = await store.createMailbox(anna, 'Once');
  await store.setRole(flagged, 'flagged');
  await store.subscribe(anna, 'Office', true);
  await store.subscribe(anna, 'Nowhere', true);
  await store.subscribe(anna, 'Junk', false);
  await store.setMetadata(anna, 0, '/private/vendor/example/colour', Buffer.from('blue'));
  await store.setMetadata(anna, work, '/shared/comment', Buffer.from([0, 255, 13, 10]));
  await store.setMetadata(anna, work, '/private/comment', Buffer.from('to be taken back'));
  await store.setMetadata(anna, work, '/private/comment', undefined);
}

async function entriesOf(teller: Teller, anna: AccountId): Promise<void> {
  const { store } = teller;
  const inbox = await teller.mailbox(anna, 'INBOX');
  const office = await teller.mailbox(anna, 'Office');
  await store.append(office, [
    {
      message: await store.take(mail.old()),
      flags: flag.seen,
      keywords: ['$Forwarded', 'later'],
      internalDate: -300_000_000,
    },
    { message: await store.take(mail.plain()), flags: 0, keywords: [], uidl: 'old-server.0001' },
    { message: await store.take(mail.reply()), flags: flag.draft, keywords: ['Later'], uidl: 'OLD-server.0002' },
  ]);
  await store.setFlags({
    mailbox: inbox,
    uids: uids(1, 3),
    mode: 'add',
    flags: flag.seen | flag.answered,
    keywords: ['$Junk'],
  });
  await store.setFlags({ mailbox: inbox, uids: uids(2, 2), mode: 'remove', flags: flag.answered, keywords: ['$Junk'] });
  await store.setFlags({
    mailbox: inbox,
    uids: uids(4, 5),
    mode: 'replace',
    flags: flag.flagged,
    keywords: ['$MDNSent'],
  });
  await store.setFlags({ mailbox: inbox, uids: uids(6, 6), mode: 'add', flags: flag.deleted, keywords: [] });
  await store.copy(inbox, uids(1, 4), office);
  await store.copy(office, uids(2, 3), await teller.mailbox(anna, 'Office/2026'));
  await store.move(inbox, uids(7, 8), office);
  await store.expunge(inbox, uids(1, 100), true);
  await store.expunge(office, uids(2, 2), false);
}

/** Expunged and kept, expunged and gone for good. */
async function goneMail(teller: Teller, bert: AccountId): Promise<void> {
  const { store } = teller;
  const inbox = await teller.mailbox(bert, 'INBOX');
  for (let n = 0; n < 5; n++) await teller.deliver(() => mail.numbered(n), [bert]);
  await store.expunge(inbox, uids(4, 6), false);
  await store.purge(inbox, uids(4, 5));
  await store.setFlags({ mailbox: inbox, uids: uids(7, 7), mode: 'add', flags: flag.deleted, keywords: [] });
}

/** What came after the crash. What no request produces is written as upkeep would. */
async function secondLife(machine: SimMachine, options: StoreOptions, dora: AccountId): Promise<void> {
  machine.passMs(86_400_000);
  await log(simDirectory, options, 'historyLost');
  let store = await Store.open(simDirectory, options);
  let teller = new Teller(store, machine);
  const emil = (await store.createAccount('emil')).account;
  await teller.deliver(mail.plain, [emil]);
  await teller.deliver(mail.attachedForEmil, [emil]);
  const mailboxes = [...store.catalog().mailboxes(emil)].map(({ id }) => id);
  await store.deleteAccount(emil);
  for (const mailbox of mailboxes) await store.purge(mailbox, uids(1, 100));
  await store.deleteAccount(dora);
  const bert = store.catalog().accountNamed('bert@example.org')?.id;
  if (bert === undefined) throw new Error('bert is there');
  const inbox = await teller.mailbox(bert, 'INBOX');
  await store.expunge(inbox, uids(1, 100), true);
  const floor = brandNumber<ModSeq>(store.catalog().mailbox(inbox)?.highestModSeq ?? 0);
  await store.expunge(inbox, uids(1, 1), false);
  await store.close();
  await log(simDirectory, options, [
    { kind: 'accountPurged', account: emil },
    { kind: 'expungeFloor', mailbox: inbox, floor },
  ]);
  store = await Store.open(simDirectory, options);
  teller = new Teller(store, machine);
  await teller.deliver(mail.reply, [bert]);
  await teller.deliver(() => mail.numbered(9), [bert]);
  await store.expunge(inbox, UidSet.of([2]), false);
  await store.close();
}

/** Appends events to the log of a store that was closed, in a batch of their own; history is lost in a new epoch. */
export async function log(
  directory: string,
  options: StoreOptions,
  events: readonly EventBody[] | 'historyLost',
): Promise<void> {
  const { ports } = options;
  if (ports === undefined) throw new Error('the story has a machine');
  const before = await Store.open(directory, options);
  const state = before.catalog().state();
  await before.close();
  if (state === undefined) throw new Error('a catalog has a state row');
  const heap = await Heap.openForWriting(ports, directory, { segmentBytes });
  try {
    const time = Math.floor(ports.clock.now() / 1000);
    if (events === 'historyLost') await heap.raiseEpoch();
    const batch = heap.begin(state);
    if (events === 'historyLost') {
      batch.add(encodeEvent(time * 2 ** 20, time, { kind: 'historyLost', epoch: batch.epoch }));
    } else for (const [at, body] of events.entries()) batch.add(encodeEvent(state.sequence + 1 + at, time, body));
    await heap.commit(batch, { cleanStop: true });
  } finally {
    await heap.close();
  }
}

export const uids = (first: number, last: number): UidSet =>
  UidSet.of(Array.from({ length: last - first + 1 }, (_, at) => first + at));

export class Teller {
  readonly store: Store;
  readonly #machine: SimMachine;

  constructor(store: Store, machine: SimMachine) {
    this.store = store;
    this.#machine = machine;
  }

  async deliver(message: () => Buffer, accounts: readonly AccountId[]): Promise<void> {
    const targets = accounts.map((account) => ({
      account,
      trace: Buffer.from(`Return-Path: <a@example.org>\r\nDelivered-To: ${account}@example.org\r\n`),
    }));
    const results = await this.store.deliver(await this.store.take(message()), targets);
    if (!results.every(({ ok }) => ok)) throw new Error(`the story's mail is taken: ${JSON.stringify(results)}`);
    // Each delivery is a batch of its own, at a time of its own.
    await this.store.settle();
    this.#machine.passMs(61_000);
  }

  async mailbox(account: AccountId, name: string): Promise<MailboxId> {
    const found = this.store.catalog().mailboxNamed(account, name);
    if (found === undefined) throw new Error(`account ${account} has a mailbox ${name}`);
    return found.id;
  }
}

/** Octets that look random and are always the same. */
function octets(seed: number, length: number): Buffer {
  return seededRandom(seed).bytes(length);
}

function head(number: number, more: readonly string[] = []): string[] {
  return [
    'From: "A. Sender" <a@example.org>',
    'To: B <b@example.org>',
    `Subject: =?utf-8?q?golden_${number}?=`,
    `Message-ID: <${number}.golden@example.org>`,
    'Date: Fri, 15 Jan 2027 08:00:00 +0000',
    ...more,
  ];
}

function text(lines: readonly string[]): Buffer {
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

/** Octets that compress well, of any length. */
function likeText(length: number): Buffer {
  return Buffer.alloc(length, 'All work and no play makes a dull store. ');
}

function withAttachment(number: number, content: Buffer, columns = 76): Buffer {
  return multipart(head(number), 'See below.', [{ encoding: 'base64', body: wrapped(content, columns) }]);
}

/** The story's mail; made anew at each call, since the store keeps the buffers it takes. */
export const mail = {
  plain: (): Buffer => text([...head(1), '', 'Hello,', 'a plain message.', '']),
  reply: (): Buffer =>
    text([...head(2, ['In-Reply-To: <1.golden@example.org>', 'References: <1.golden@example.org>']), '', 'Re', '']),
  attached: (): Buffer => withAttachment(3, octets(3, 6_000)),
  /** The same content, wrapped otherwise. */
  attachedAgain: (): Buffer => withAttachment(4, octets(3, 6_000), 60),
  /** Content of its own. */
  attachedNumber: (n: number): Buffer => withAttachment(n, octets(n, 5_000)),
  attachedForEmil: (): Buffer => withAttachment(11, octets(11, 5_000)),
  /** More than is held in memory: its chunks go ahead of the message. */
  large: (): Buffer => withAttachment(5, likeText(5_500_000)),
  largeForgotten: (): Buffer => withAttachment(13, likeText(5_300_000)),
  /** Its listed fields are larger than a row may be. */
  manyAddressees: (): Buffer =>
    text([...head(6), `Cc: ${'somebody@example.org, '.repeat(3_500)}last@example.org`, '', 'All of you', '']),
  noHeader: (): Buffer => text(['', 'a body without a header', '']),
  noLineEnd: (): Buffer => text([...head(7), '', 'the last line has no end']),
  octets: (): Buffer =>
    Buffer.concat([text([...head(8, ['Content-Type: application/octet-stream']), '', '']), octets(8, 4_500)]),
  nested: (): Buffer =>
    text([...head(9), 'Content-Type: message/rfc822', '', ...head(10), '', 'A message in a message', '']),
  old: (): Buffer => text([...head(12), '', 'from long ago', '']),
  numbered: (n: number): Buffer => text([...head(100 + n), '', `number ${n}`, '']),
};
