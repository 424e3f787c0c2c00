/** Mail of a lively mailing list: threads of some length, with the fields that clients sort and thread by. */
import type { AccountId } from '@mstore/store';
import { inbox } from '@mstore/store';
import type { Daemons } from './daemons.ts';
import type { Random } from './random.ts';

/** A message as the list knows it. */
export interface ListMail {
  readonly sentAt: number;
  readonly subject: string;
  /** The index of the message that it answers. */
  readonly answers: number | undefined;
  readonly octets: Buffer;
}

const words = [
  'plums',
  'pears',
  'Äpfel',
  'quinces',
  'cherries',
  'a question',
  'the meeting',
  'minutes',
  'build',
  'release',
];
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function dateField(seconds: number): string {
  const date = new Date(seconds * 1_000);
  const two = (number: number): string => number.toString().padStart(2, '0');
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  const day = days[date.getUTCDay()] ?? '';
  return `${day}, ${date.getUTCDate()} ${months[date.getUTCMonth()] ?? ''} ${date.getUTCFullYear()} ${time} +0000`;
}

function idOf(index: number): string {
  return `<${index}.${(index * 2_654_435_761) % 4_294_967_296}@list.example.org>`;
}

/** Messages 0 to `count` - 1; each answers a recent one, or begins a thread. */
export function* listMail(count: number, random: Random): Generator<ListMail> {
  const recent: { readonly index: number; readonly subject: string; readonly references: readonly string[] }[] = [];
  for (let index = 0; index < count; index += 1) {
    const answered = recent.length > 0 && random.chance(0.8) ? random.pick(recent) : undefined;
    const subject = answered?.subject ?? `${random.pick(words)} ${index}`;
    const references = answered === undefined ? [] : [...answered.references.slice(-12), idOf(answered.index)];
    const sentAt = 1_700_000_000 + index * 60 + random.int(100_000);
    const written = /[^ -~]/.test(subject) ? `=?utf-8?q?${encoded(subject)}?=` : subject;
    const head = [
      `From: Member ${random.int(500)} <member${random.int(500)}@example.org>`,
      'To: The list <list@list.example.org>',
      `Subject: ${answered === undefined ? '' : 'Re: '}[list] ${written}`,
      `Date: ${dateField(sentAt)}`,
      `Message-ID: ${idOf(index)}`,
      ...(references.length === 0 ? [] : [`References: ${references.join('\r\n ')}`]),
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
    ];
    const octets = Buffer.from(`${head.join('\r\n')}\r\n\r\nNumber ${index}.\r\n`);
    recent.push({ index, subject, references });
    if (recent.length > 40) recent.shift();
    yield { sentAt, subject, answers: answered?.index, octets };
  }
}

function encoded(text: string): string {
  let words = '';
  for (const octet of Buffer.from(text)) words += octet === 0x20 ? '_' : `=${octet.toString(16).padStart(2, '0')}`;
  return words;
}

/** How many deliveries are under way at a time. */
const atOnce = 500;

/** Delivers messages into somebody's INBOX, in order: the n-th has UID n there. */
export async function deliverList(daemons: Daemons, user: string, mail: Iterable<ListMail>): Promise<void> {
  const account = await daemons.account(user);
  let waiting: Promise<void>[] = [];
  for (const { octets } of mail) {
    waiting.push(deliverOne(daemons, account, octets));
    if (waiting.length < atOnce) continue;
    await Promise.all(waiting);
    waiting = [];
  }
  await Promise.all(waiting);
  await daemons.store.settle();
}

async function deliverOne({ store }: Daemons, account: AccountId, octets: Buffer): Promise<void> {
  const taken = await store.take(octets);
  const [result] = await store.deliver(taken, [{ account, mailbox: inbox, trace: Buffer.alloc(0) }]);
  if (result?.ok !== true) throw new Error('a delivery was refused');
}
