/**
 * What the store of the story lives through from format 2 on: a segment that says a little of everything is compacted, the store
 * is lost and comes back from its backup, and what went is brought back. Told behind `golden-story.ts`.
 */
import {
  type AccountId,
  backup,
  brandNumber,
  flag,
  type MailboxId,
  type ModSeq,
  restoreStore,
  Store,
  type StoreOptions,
  UidSet,
} from '@mstore/store';
import { type SimMachine, simDirectory } from '../support/sim-machine.ts';
import { log, mail, storyOptions, Teller, uids } from './golden-story.ts';

/** Where the store lies in the end: a restore goes to a new folder. */
export const restoredDirectory = '/restored';

/** The same machine after a clean stop, with the store in `restoredDirectory`. */
export async function tellLaterLives(machine: SimMachine): Promise<SimMachine> {
  machine.passMs(86_400_000);
  const who = await whatStays(machine);
  const changed = machine.kill();
  await changes(changed, who);
  const compacted = changed.kill();
  await compaction(compacted);
  const options = storyOptions(compacted);
  await restoreStore('/backup', restoredDirectory, options);
  compacted.passMs(3_600_000);
  await comesBack(compacted, options, who);
  await everyEvent(compacted, options);
  return compacted;
}

interface Who {
  readonly nina: AccountId;
  readonly olaf: AccountId;
  readonly inbox: MailboxId;
  readonly archive: MailboxId;
  readonly once: MailboxId;
}

/** A segment of mail that is worth keeping. */
async function whatStays(machine: SimMachine): Promise<Who> {
  const store = await Store.open(simDirectory, storyOptions(machine));
  const teller = new Teller(store, machine);
  const nina = (await store.createAccount('nina')).account;
  const olaf = (await store.createAccount('olaf')).account;
  await store.setMetadata(nina, 0, 'mstore/retention', Buffer.from('expunged=14 trash=30'));
  const inbox = await teller.mailbox(nina, 'INBOX');
  const { mailbox: archive } = await store.createMailbox(nina, 'Kept');
  const { mailbox: once } = await store.createMailbox(nina, 'Once');
  await teller.deliver(mail.plain, [olaf]);
  for (let n = 20; n < 22; n++) await teller.deliver(() => mail.attachedNumber(n), [nina]);
  for (let n = 10; n < 16; n++) await teller.deliver(() => mail.numbered(n), [nina]);
  await store.copy(inbox, uids(1, 1), archive);
  await store.settle();
  return { nina, olaf, inbox, archive, once };
}

/** A segment that says what became of that, among mail that goes. */
async function changes(machine: SimMachine, { nina, olaf, inbox, once }: Who): Promise<void> {
  const store = await Store.open(simDirectory, storyOptions(machine));
  const teller = new Teller(store, machine);
  await store.setFlags({ mailbox: inbox, uids: uids(1, 2), mode: 'add', flags: flag.seen, keywords: ['$Kept'] });
  await store.expunge(inbox, uids(3, 3), false);
  await store.expunge(inbox, uids(4, 5), false);
  await store.purge(inbox, uids(5, 5));
  await store.subscribe(nina, 'Kept', true);
  await store.setMetadata(nina, inbox, '/private/comment', Buffer.from('to be said again'));
  await store.renameMailbox(once, 'Once more');
  const { mailbox: gone } = await store.createMailbox(nina, 'Gone');
  for (const mailbox of [once, gone]) {
    await store.deleteMailbox(mailbox);
    await store.purgeRetained(mailbox);
  }
  const left = [...store.catalog().mailboxes(olaf)].map(({ id }) => id);
  await store.deleteAccount(olaf);
  for (const mailbox of left) await store.purgeRetained(mailbox);
  await store.purgeAccount(olaf);
  // One that stays, one that is kept for a while, two that go.
  for (let n = 30; n < 32; n++) await teller.deliver(() => mail.numbered(n), [nina]);
  for (let n = 32; n < 34; n++) await teller.deliver(() => mail.attachedNumber(n), [nina]);
  await store.expunge(inbox, uids(10, 12), false);
  await store.purge(inbox, uids(11, 12));
  await store.settle();
}

/** The segment of changes is compacted, its file goes, and the store is backed up. */
async function compaction(machine: SimMachine): Promise<void> {
  const store = await Store.open(simDirectory, storyOptions(machine));
  await store.compact({ minGarbage: 0.6, maxRate: 0 });
  await store.dropRetired(true);
  await backup(simDirectory, '/backup', store, storyOptions(machine));
  await store.close();
}

async function comesBack(machine: SimMachine, options: StoreOptions, { nina, archive, inbox }: Who): Promise<void> {
  const store = await Store.open(restoredDirectory, options);
  const teller = new Teller(store, machine);
  await store.undelete(inbox, UidSet.of([3]), archive);
  await store.deleteMailbox(archive);
  await store.restoreMailbox(archive);
  await store.deleteAccount(nina);
  await store.restoreAccount(nina);
  await teller.deliver(() => mail.numbered(40), [nina]);
  await store.close();
}

/** Once more what compaction may have taken: one of each kind of event, in an account that is gone in the end. */
async function everyEvent(machine: SimMachine, options: StoreOptions): Promise<void> {
  machine.passMs(86_400_000);
  // Before the rest, since it makes the store forget its expunges.
  await log(restoredDirectory, options, 'historyLost');
  const store = await Store.open(restoredDirectory, options);
  const teller = new Teller(store, machine);
  const petra = (await store.createAccount('petra')).account;
  await store.renameAccount(petra, 'petra@example.org');
  await store.setQuota(petra, 10_000_000, 10);
  const { mailbox } = await store.createMailbox(petra, 'First');
  await store.renameMailbox(mailbox, 'Second');
  await store.setRole(mailbox, 'archive');
  await store.subscribe(petra, 'Second', true);
  await store.setMetadata(petra, mailbox, '/shared/comment', Buffer.from('second'));
  for (let n = 50; n < 53; n++) await teller.deliver(() => mail.numbered(n), [petra]);
  await teller.deliver(mail.large, [petra]);
  const inbox = await teller.mailbox(petra, 'INBOX');
  await store.setFlags({ mailbox: inbox, uids: uids(1, 2), mode: 'add', flags: flag.flagged, keywords: ['Late'] });
  await store.expunge(inbox, uids(1, 1), false);
  await store.purge(inbox, uids(1, 1));
  await store.expunge(inbox, uids(2, 2), false);
  const floor = brandNumber<ModSeq>(store.catalog().mailbox(inbox)?.highestModSeq ?? 0);
  await store.expunge(inbox, uids(3, 3), false);
  const quinn = (await store.createAccount('quinn')).account;
  const left = [...store.catalog().mailboxes(quinn)].map(({ id }) => id);
  await store.deleteAccount(quinn);
  for (const one of left) await store.purgeRetained(one);
  await store.close();
  await log(restoredDirectory, options, [
    { kind: 'expungeFloor', mailbox: inbox, floor },
    { kind: 'namesForgotten', account: quinn, names: ['Drafts', 'Junk'] },
  ]);
  const last = await Store.open(restoredDirectory, options);
  await last.purgeAccount(quinn);
  await last.close();
}
