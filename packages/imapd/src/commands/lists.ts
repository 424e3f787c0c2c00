/**
 * LIST in all its forms (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154) and LSUB (RFC 3501 §6.3.9). Names are matched and told in
 * slices; each mailbox is told as it is at its turn, and one that went meanwhile is left out.
 *
 * Roles and whether there are mailboxes below are told always: clients that know no option look for them.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { NamedMailbox } from '@mstore/store';
import { RefusedError, refusals } from '../errors.ts';
import { limits } from '../limits.ts';
import { ListPatterns } from '../list-pattern.ts';
import { MailboxNames, parentsOf, sortedNames } from '../mailbox-names.ts';
import { useModSeqs } from '../mod-seqs.ts';
import { type Completion, completed } from '../reply.ts';
import { writeList } from '../responses/list-line.ts';
import { useOfRole } from '../responses/special-use.ts';
import type { Session } from '../session.ts';
import type { Encoder } from '../wire/encoder.ts';
import type { ListArguments } from '../wire/list-arguments.ts';
import { checkItems, writeStatus } from './status.ts';

const listed = completed('that is all');

export async function list(session: Session, args: ListArguments): Promise<Completion> {
  const { reference, patterns: texts } = args;
  const status = args.returns?.status ?? [];
  checkItems(session, status);
  if (args.isPlain && texts[0] === '') {
    // Asks for the separator.
    await session.say('* LIST (\\Noselect) "/" ""\r\n');
    return listed;
  }
  const patterns = patternsOf(texts.map((text) => reference + text));
  if (args.returns?.status?.includes('HIGHESTMODSEQ') === true) useModSeqs(session);
  const names = new MailboxNames(session.services.reading.catalog(), session.account);
  const chosen = args.onlySpecialUse ? await withRoles(session, names) : names.mailboxes;
  const wanted = args.onlySubscribed
    ? intersection(names.subscriptions, args.onlySpecialUse ? chosen : undefined)
    : chosen;
  // Levels that lead to something wanted which the pattern does not reach.
  const matched = await patterns.matching(wanted);
  const leading = args.isRecursive ? parentsOf(without(wanted, matched)) : new Set<string>();
  const isPartial = args.onlySubscribed || args.onlySpecialUse;
  const above = await patterns.matching(isPartial ? leading : names.parents);
  await inSlices(session, sortedNames(matched, above), (name, mailbox, to) => {
    if (mailbox === undefined && names.mailboxes.has(name)) return undefined;
    const isSubscribed = names.subscriptions.has(name);
    const showsSubscribed = isSubscribed && (args.onlySubscribed || args.returns?.subscribed === true);
    writeList(to, {
      name,
      mailbox,
      attributes: [...(showsSubscribed ? ['\\Subscribed'] : []), childrenOf(names, name)],
      childInfo: leading.has(name)
        ? [...(args.onlySubscribed ? ['SUBSCRIBED'] : []), ...(args.onlySpecialUse ? ['SPECIAL-USE'] : [])]
        : [],
    });
    return mailbox === undefined || status.length === 0 ? undefined : writeStatus(session, to, mailbox, status);
  });
  return listed;
}

export async function lsub(
  session: Session,
  { reference, pattern }: { readonly reference: string; readonly pattern: string },
): Promise<Completion> {
  const patterns = patternsOf([reference + pattern]);
  const { subscriptions } = new MailboxNames(session.services.reading.catalog(), session.account);
  // With % a level that is not subscribed stands for what is subscribed below it.
  const matched = await patterns.matching(subscriptions);
  const leading = /%/.test(pattern) ? parentsOf(without(subscriptions, matched)) : [];
  const above = await patterns.matching(leading);
  await inSlices(session, sortedNames(matched, above), (name, mailbox, to) => {
    const use = mailbox === undefined ? undefined : useOfRole(mailbox.row.role);
    const attributes = [subscriptions.has(name) ? undefined : '\\Noselect', use];
    to.raw('* LSUB ').list(
      attributes.filter((attribute) => attribute !== undefined),
      (attribute) => to.raw(attribute),
    );
    to.raw(' "/" ').mailbox(name).crlf();
    return undefined;
  });
  return listed;
}

/** @throws {RefusedError} tooManyPatterns */
function patternsOf(texts: readonly string[]): ListPatterns {
  const patterns = new ListPatterns(texts);
  if (!patterns.areAllowed) throw new RefusedError(refusals.tooManyPatterns);
  return patterns;
}

function without(names: ReadonlySet<string>, others: ReadonlySet<string>): readonly string[] {
  return [...names].filter((name) => !others.has(name));
}

function intersection(names: ReadonlySet<string>, others: ReadonlySet<string> | undefined): ReadonlySet<string> {
  return others === undefined ? names : new Set([...names].filter((name) => others.has(name)));
}

/** The mailboxes that have a role. */
async function withRoles(session: Session, names: MailboxNames): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  await inSlices(session, [...names.mailboxes], (name, mailbox) => {
    if (mailbox !== undefined && mailbox.row.role !== '') found.add(name);
    return undefined;
  });
  return found;
}

/** Looks each name up and says what `write` makes of it, in slices of the event loop; what `write` returns is awaited. */
async function inSlices(
  session: Session,
  names: readonly string[],
  write: (name: string, mailbox: NamedMailbox | undefined, to: Encoder) => Promise<void> | undefined,
): Promise<void> {
  const to = session.encoder();
  for (let from = 0; from < names.length; from += limits.sliceMailboxes) {
    if (from > 0) await turn();
    let catalog = session.services.reading.catalog();
    for (const name of names.slice(from, from + limits.sliceMailboxes)) {
      const mailbox = catalog.mailboxNamed(session.account, name);
      const waits = write(name, mailbox?.row.deleted === true ? undefined : mailbox, to);
      if (waits === undefined) continue;
      await waits;
      catalog = session.services.reading.catalog();
    }
    await session.say(to.take());
  }
}

function childrenOf({ parents }: MailboxNames, name: string): string {
  return parents.has(name) ? '\\HasChildren' : '\\HasNoChildren';
}
