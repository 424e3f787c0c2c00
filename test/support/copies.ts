/** A large mailbox, made soon: of copies of one message. */
import { type MailboxId, UidSet } from '@mstore/store';
import type { Daemons } from './daemons.ts';

/** Fills a user's INBOX with so many messages, which are all the same. */
export async function fillWithCopies(daemons: Daemons, user: string, messages: number): Promise<MailboxId> {
  const { store } = daemons;
  await daemons.deliver(user, Buffer.from('Subject: x\r\n\r\nbody\r\n'));
  const mailbox = await daemons.mailbox(user);
  for (let count = 1; count < messages; count *= 2) {
    await store.copy(mailbox, UidSet.range(1, Math.min(count, messages - count)), mailbox);
  }
  await store.settle();
  return mailbox;
}
