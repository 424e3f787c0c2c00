/** A mail client that reads and deletes by IMAP in a service that is killed under it, and keeps the books of service-load.ts. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImapClient, sectionOf } from '../support/imap-client.ts';
import { commonPassword } from '../support/service.ts';
import type { LoadOptions } from './service-load.ts';

const retryMs = 20;

export interface ImapLoadOptions extends Omit<LoadOptions, 'addresses'> {
  /** Where IMAP is served now; undefined while it is down. */
  readonly imap: () => string | undefined;
}

/** Reads INBOXes until it is over, and expunges some of what it read. */
export async function readMailByImap(options: ImapLoadOptions): Promise<void> {
  while (!options.isOver()) {
    await readOnceByImap(options.random.pick(options.users), options, 0.3).catch((error: unknown) => {
      if (error instanceof assert.AssertionError) throw error;
    });
    await sleep(retryMs);
  }
}

/** One session: everything is read, a share of it expunged. @throws what ended it before its expunge was answered */
export async function readOnceByImap(
  user: string,
  { imap, books, random }: ImapLoadOptions,
  share: number,
): Promise<number> {
  const address = imap();
  if (address === undefined) throw new Error('nobody listens');
  const deletedBefore = books.deletedCount;
  const client = await ImapClient.connect(address);
  try {
    const login = await client.ask(`LOGIN ${user} ${commonPassword}`);
    assert.match(login.status, /^OK|^NO \[UNAVAILABLE\]/);
    // The writer is down, or went down under it.
    if (login.status.startsWith('NO')) throw new Error(`not logged in: ${login.status}`);
    const selected = await client.ask('SELECT INBOX');
    const [, validity] = /\[UIDVALIDITY (\d+)\]/.exec(selected.untagged.join('\n')) ?? [];
    if (validity === undefined) throw new Error(`not selected: ${selected.status}`);
    // POP3's names of the same messages.
    const uidl = (uid: number): string => [Number(validity), uid].map((n) => n.toString(16).padStart(8, '0')).join('');
    const { untagged, status } = await client.ask('UID FETCH 1:* (UID BODY.PEEK[])');
    assert.match(status, /^OK|^NO \[(EXPUNGEISSUED|UNAVAILABLE|SERVERBUG)\]/);
    const uids: number[] = [];
    for (const line of untagged.filter((text) => text.includes(' BODY[] {'))) {
      const uid = Number(/^\* \d+ FETCH \(UID (\d+) /.exec(line)?.[1]);
      books.see(user, uidl(uid), Buffer.from(sectionOf(line, 'BODY[]'), 'latin1'), deletedBefore);
      uids.push(uid);
    }
    const doomed = uids.filter(() => random.chance(share));
    if (doomed.length === 0) return uids.length;
    const set = doomed.join(',');
    const flagged = await client.ask(`UID STORE ${set} +FLAGS.SILENT (\\Deleted)`);
    const expunged = await client.ask(`UID EXPUNGE ${set}`);
    if (flagged.status.startsWith('OK') && expunged.status.startsWith('OK')) books.remove(user, doomed.map(uidl));
    return uids.length;
  } finally {
    client.close();
  }
}
