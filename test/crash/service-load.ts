/**
 * Mail servers and mail clients that use a service which is killed under them, and the books they keep: what was said to be
 * delivered, what may have been, and what an answered QUIT deleted.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { isStoreError, StoreReader, type StoreReading, socketPath, UidSet, WriterLink } from '@mstore/store';
import { LmtpClient } from '../support/lmtp-client.ts';
import type { MessageSource } from '../support/messages.ts';
import { Pop3Client } from '../support/pop3-client.ts';
import type { Random } from '../support/random.ts';
import { commonPassword } from '../support/service.ts';
import { shaOf } from '../support/traffic.ts';

/** Where the service listens now; undefined while it is down. */
export type Addresses = () => { readonly lmtp: string; readonly pop3: string } | undefined;

const retryMs = 20;

/** A message for a user: `user id`. */
function keyOf(user: string, id: string): string {
  return `${user} ${id}`;
}

/** The id that a message bears, and the SHA-256 of what was sent. */
function identity(octets: Buffer): { readonly id: string; readonly sha: string } {
  const at = octets.indexOf('X-Id: ');
  assert.ok(at !== -1, 'a message that nobody sent');
  const end = octets.indexOf('\r\n', at);
  return { id: octets.toString('latin1', at + 6, end), sha: shaOf(octets.subarray(at)) };
}

export class Books {
  /** Deliveries that were answered with 250. */
  readonly told: Set<string> = new Set();
  /** How often a delivery was sent and not answered. */
  readonly unanswered: Map<string, number> = new Map();
  /** What an id's message must be. */
  readonly shas: Map<string, string> = new Map();
  /** `user uidl` of what readers saw → its delivery. */
  readonly #seen = new Map<string, string>();
  /** `user uidl` of what an answered QUIT deleted → how many deletions came before. */
  readonly #deleted = new Map<string, number>();

  get deletedCount(): number {
    return this.#deleted.size;
  }

  doubt(user: string, id: string): void {
    const key = keyOf(user, id);
    this.unanswered.set(key, (this.unanswered.get(key) ?? 0) + 1);
  }

  confirm(user: string, id: string): void {
    this.told.add(keyOf(user, id));
  }

  /** A reader got this message, whole; when it logged in, so many deletions had been answered. */
  see(user: string, uidl: string, octets: Buffer, deletedBefore: number): void {
    const { id, sha } = identity(octets);
    assert.equal(sha, this.shas.get(id), `message ${id} is not as it was sent`);
    const deleted = this.#deleted.get(`${user} ${uidl}`) ?? Number.POSITIVE_INFINITY;
    assert.ok(deleted >= deletedBefore, `${uidl} of ${user} was deleted, and is back`);
    this.#seen.set(`${user} ${uidl}`, keyOf(user, id));
  }

  remove(user: string, uidls: readonly string[]): void {
    for (const uidl of uidls) this.#deleted.set(`${user} ${uidl}`, this.#deleted.size);
  }

  /** After everything was read once more: each delivery that was answered came once, and again only where it was not. */
  check(): void {
    const copies = new Map<string, number>();
    for (const key of this.#seen.values()) copies.set(key, (copies.get(key) ?? 0) + 1);
    for (const key of this.told) assert.ok(copies.has(key), `${key} was answered with 250, and is lost`);
    for (const [key, count] of copies) {
      const most = (this.told.has(key) ? 1 : 0) + (this.unanswered.get(key) ?? 0);
      assert.ok(count <= most, `${key}: ${count} copies, ${most} could have come`);
    }
  }
}

export interface LoadOptions {
  readonly addresses: Addresses;
  readonly books: Books;
  readonly users: readonly [string, ...string[]];
  readonly random: Random;
  readonly isOver: () => boolean;
}

/** Work that somebody has done in the service while it is used, killed and broken: one round of it. */
export type Chore = (writer: WriterLink, reading: StoreReading) => Promise<void>;

/** Ends the retention of everything that was expunged. */
export async function purgeAll(writer: WriterLink, reading: StoreReading): Promise<void> {
  const mailboxes = [...reading.catalog().allMailboxes()].map(({ id }) => id);
  for (const mailbox of mailboxes) await writer.purge(mailbox, UidSet.range(1, 0xffff_ffff));
}

/** What compactions under the load did, as far as they were answered. */
export interface Compacted {
  segments: number;
  writtenBytes: number;
}

/** Compacts what has some garbage, and adds up what went. */
export function compacting(tally: Compacted): Chore {
  return async (writer) => {
    const { segments, writtenBytes, kept } = await writer.compact({ minGarbage: 0.05, maxRate: 0 });
    const damaged = kept.filter((segment) => segment.damaged);
    assert.deepEqual(damaged, [], 'a kill is no damage');
    tally.segments += segments.length;
    tally.writtenBytes += writtenBytes;
  };
}

/** Does a chore again and again until it is over. What fails for want of a writer, or of a disk, is begun anew. */
export async function repeat(chore: Chore, directory: string, isOver: () => boolean): Promise<void> {
  const writer = new WriterLink(socketPath(directory));
  const reading = await StoreReader.open(directory);
  try {
    while (!isOver()) {
      await reading.catchUp();
      await chore(writer, reading).catch((error: unknown) => {
        if (!isStoreError(error)) throw error;
      });
      await sleep(retryMs);
    }
  } finally {
    await writer.close();
    await reading.close();
  }
}

/** A mail server: sends messages until it is over, each to one or more users until all have answered. */
export async function sendMail(name: string, source: MessageSource, options: LoadOptions): Promise<void> {
  const { books, users, random, isOver } = options;
  let client: LmtpClient | undefined;
  for (let number = 0; !isOver(); number += 1) {
    const id = `${name}.${number}`;
    const message = Buffer.concat([Buffer.from(`X-Id: ${id}\r\n`), source.next()]);
    books.shas.set(id, shaOf(withLastLineEnd(message)));
    let open = users.filter(() => random.chance(1 / users.length));
    if (open.length === 0) open = [random.pick(users)];
    // What was begun is finished, so that nothing stays in doubt for want of a last try.
    while (open.length > 0) {
      try {
        client ??= await connectLmtp(options.addresses);
        const replies = await client.deliver({ message, recipients: open, sender: 'mx@example.net' });
        open = open.filter((user, at) => {
          const code = replies[at]?.code ?? 0;
          assert.ok(code === 250 || (code >= 400 && code < 500), `${user}: ${code} ${replies[at]?.lines.join()}`);
          if (code === 250) books.confirm(user, id);
          return code !== 250;
        });
        if (open.length > 0) await sleep(retryMs);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        if (client !== undefined) for (const user of open) books.doubt(user, id);
        client?.wire.close();
        client = undefined;
        await sleep(retryMs);
      }
    }
  }
  client?.wire.close();
}

async function connectLmtp(addresses: Addresses): Promise<LmtpClient> {
  const at = addresses();
  if (at === undefined) throw new Error('nobody listens');
  return LmtpClient.connect(at.lmtp);
}

function withLastLineEnd(message: Buffer): Buffer {
  return message.subarray(-2).toString('latin1') === '\r\n' ? message : Buffer.concat([message, Buffer.from('\r\n')]);
}

/** A mail client: reads maildrops until it is over, and deletes some of what it read. */
export async function readMail(options: LoadOptions): Promise<void> {
  while (!options.isOver()) {
    await readOnce(options.random.pick(options.users), options, 0.3).catch((error: unknown) => {
      if (error instanceof assert.AssertionError) throw error;
    });
    await sleep(retryMs);
  }
}

/** One session: everything is read, a part of it deleted. @throws what ended it before its QUIT was answered */
export async function readOnce(user: string, { addresses, books, random }: LoadOptions, share: number): Promise<void> {
  const at = addresses();
  if (at === undefined) throw new Error('nobody listens');
  const deletedBefore = books.deletedCount;
  const client = await Pop3Client.login(at.pop3, user, commonPassword);
  try {
    const doomed: string[] = [];
    for (const [number, uidl] of await client.listing('UIDL')) {
      books.see(user, uidl, await client.blockOf(`RETR ${number}`), deletedBefore);
      if (!random.chance(share)) continue;
      await client.command(`DELE ${number}`);
      doomed.push(uidl);
    }
    // A QUIT now and then that never comes deletes nothing.
    if (share > 0 && random.chance(0.1)) return;
    await client.quit();
    books.remove(user, doomed);
  } finally {
    client.wire.close();
  }
}
