/** The flags of a mailbox's messages as the catalog has them, in the words of clients: what a client was told must be that. */
import type { Daemons } from '../support/daemons.ts';

const flagNames = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft'];
const flagBits = [2, 4, 8, 1, 16];

export function sortedFlags(flags: string): string {
  const names = flags.split(' ').filter((name) => name !== '' && name !== '\\Recent');
  return names.sort().join(' ');
}

/** Flags by UID, as the catalog has them. */
export async function truthOf(daemons: Daemons, user: string): Promise<ReadonlyMap<number, string>> {
  await daemons.store.settle();
  const mailbox = await daemons.mailbox(user);
  const catalog = daemons.store.catalog();
  const words = catalog.keywords(mailbox);
  const truth = new Map<number, string>();
  for (const { uid, flags, keywords } of catalog.entries(mailbox)) {
    const names = flagNames.filter((_, at) => (flags & (flagBits[at] ?? 0)) !== 0);
    truth.set(uid, sortedFlags([...names, ...keywords.map((number) => words[number] ?? '')].join(' ')));
  }
  return truth;
}
