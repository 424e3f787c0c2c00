/** The requests that the writer's socket takes: the shape of each one's arguments, and what it asks of the writer. */
import { z } from 'zod';
import { UidSet } from '../codec/uid-set.ts';
import { StoreError } from '../errors.ts';
import { type AccountId, brandNumber, type EmailId, type MailboxId, type MailboxRole } from '../types.ts';
import type { TakenMessage } from './mail-writer.ts';
import type { StoreWriter } from './store-writer.ts';

/** Gives the message that was sent ahead under an id, once. @throws {StoreError} badIntent */
export type TakeUpload = (id: number) => Promise<TakenMessage>;

const u32 = z.number().int().min(1).max(0xffff_ffff);
const accountId = u32.transform((n) => brandNumber<AccountId>(n));
const mailboxId = u32.transform((n) => brandNumber<MailboxId>(n));
const ownOrMailbox = z.union([z.literal(0), mailboxId]);
const whole = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const uids = z.custom<UidSet>((value) => value instanceof UidSet);
const octets = z.instanceof(Buffer);
const words = z.array(z.string());
const flags = z.number().int().min(0).max(31);
const role = z.enum([
  '',
  'drafts',
  'sent',
  'junk',
  'trash',
  'archive',
  'flagged',
  'all',
]) satisfies z.ZodType<MailboxRole>;
const seconds = z.number().int();

interface Operation {
  readonly run: (writer: StoreWriter, args: unknown, take: TakeUpload) => Promise<unknown>;
}

function operation<Args>(
  shape: z.ZodType<Args>,
  run: (writer: StoreWriter, args: Args, take: TakeUpload) => Promise<unknown>,
): Operation {
  return {
    run: (writer, args, take) => {
      const parsed = shape.safeParse(args);
      if (!parsed.success) throw new StoreError('badIntent', `arguments that do not fit: ${parsed.error.message}`);
      return run(writer, parsed.data, take);
    },
  };
}

/** Drops members that are undefined: an absent option is absent. */
function present<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never;
}

const wantedAccount = z.object({ id: accountId, name: z.string(), quotaBytes: whole, quotaMessages: whole });
const target = z.object({
  account: accountId,
  mailbox: z.string().optional(),
  wanted: wantedAccount.optional(),
  trace: octets,
});
const item = z.object({
  message: u32,
  flags,
  keywords: words,
  internalDate: seconds.optional(),
  uidl: z.string().optional(),
  trace: octets.optional(),
  email: whole
    .min(1)
    .transform((n) => brandNumber<EmailId>(n))
    .optional(),
});
const flagsRequest = z.object({
  mailbox: mailboxId,
  uids,
  mode: z.enum(['add', 'remove', 'replace']),
  flags,
  keywords: words,
  unchangedSince: whole.optional(),
  knownModSeq: whole.optional(),
});

const compactRequest = z.object({ minGarbage: z.number().min(0).max(1), maxRate: whole });

export const operations: Readonly<Record<string, Operation>> = {
  deliver: operation(
    z.tuple([u32, z.array(target), z.object({ allOrNone: z.boolean().optional() })]),
    async (writer, [message, targets, options], take) =>
      writer.deliver(await take(message), targets.map(present), present(options)),
  ),
  append: operation(z.tuple([mailboxId, z.array(item)]), async (writer, [mailbox, items], take) =>
    writer.append(
      mailbox,
      await Promise.all(items.map(async (one) => ({ ...present(one), message: await take(one.message) }))),
    ),
  ),
  setFlags: operation(z.tuple([flagsRequest]), (writer, [request]) => writer.setFlags(present(request))),
  expunge: operation(z.tuple([mailboxId, uids, z.boolean()]), (writer, args) => writer.expunge(...args)),
  copy: operation(z.tuple([mailboxId, uids, mailboxId]), (writer, args) => writer.copy(...args)),
  move: operation(z.tuple([mailboxId, uids, mailboxId]), (writer, args) => writer.move(...args)),
  purge: operation(z.tuple([mailboxId, uids]), (writer, args) => writer.purge(...args)),
  purgeRetained: operation(z.tuple([mailboxId]), (writer, args) => writer.purgeRetained(...args)),
  purgeAccount: operation(z.tuple([accountId]), (writer, args) => writer.purgeAccount(...args)),
  undelete: operation(z.tuple([mailboxId, uids, mailboxId]), (writer, args) => writer.undelete(...args)),
  restoreMailbox: operation(z.tuple([mailboxId]), (writer, args) => writer.restoreMailbox(...args)),
  restoreAccount: operation(z.tuple([accountId]), (writer, args) => writer.restoreAccount(...args)),
  createMailbox: operation(z.tuple([accountId, z.string(), role]), (writer, args) => writer.createMailbox(...args)),
  renameMailbox: operation(z.tuple([mailboxId, z.string()]), (writer, args) => writer.renameMailbox(...args)),
  deleteMailbox: operation(z.tuple([mailboxId]), (writer, args) => writer.deleteMailbox(...args)),
  subscribe: operation(z.tuple([accountId, z.string(), z.boolean()]), (writer, args) => writer.subscribe(...args)),
  setRole: operation(z.tuple([mailboxId, role]), (writer, args) => writer.setRole(...args)),
  setMetadata: operation(
    z.tuple([accountId, ownOrMailbox, z.string(), z.union([octets, z.null()])]),
    (writer, [account, mailbox, name, value]) => writer.setMetadata(account, mailbox, name, value ?? undefined),
  ),
  createAccount: operation(z.tuple([z.string(), z.union([u32, z.null()])]), (writer, [name, id]) =>
    writer.createAccount(name, id ?? undefined),
  ),
  ensureAccount: operation(z.tuple([wantedAccount]), (writer, [wanted]) => writer.ensureAccount(wanted)),
  renameAccount: operation(z.tuple([accountId, z.string()]), (writer, args) => writer.renameAccount(...args)),
  deleteAccount: operation(z.tuple([accountId]), (writer, args) => writer.deleteAccount(...args)),
  setQuota: operation(z.tuple([accountId, whole, whole]), (writer, args) => writer.setQuota(...args)),
  compact: operation(z.tuple([compactRequest]), (writer, [request]) => writer.compact(request)),
  compactProgress: operation(z.tuple([]), (writer) => writer.compactProgress()),
};
