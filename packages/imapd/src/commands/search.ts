/**
 * SEARCH and UID SEARCH (RFC 9051 §6.4.4) with what RETURN asks for (RFC 4731), and the saved result `$` (RFC 5182): it becomes what was
 * found when a search that saves ends well, and empty when one is answered with NO.
 */
import { UidSet } from '@mstore/store';
import type { Command } from '../command.ts';
import { RefusedError, refusals, unreadable } from '../errors.ts';
import { type Numbering, selectedOf } from '../message-set.ts';
import { useModSeqs } from '../mod-seqs.ts';
import { type Completion, completed } from '../reply.ts';
import { sayExtendedSearch, saySearch } from '../responses/search.ts';
import { asksForModSeq, highestModSeq } from '../search/highest-mod-seq.ts';
import { matching } from '../search/matching.ts';
import type { Session } from '../session.ts';
import { expectSearchArguments, type SearchReturn } from '../wire/search-arguments.ts';

/** SEARCH by number, or UID SEARCH. */
export function searchCommand(numbering: Numbering): Command {
  return {
    states: ['selected'],
    keepsNumbers: numbering === 'sequence',
    read: (decoder) => {
      decoder.expectSpace('a search key');
      const args = expectSearchArguments(decoder);
      if (decoder.expectEnd()) return (session, tag) => search(session, args, tag, numbering);
      const { failure } = decoder;
      if (failure?.kind !== 'charset' || args.returns?.has('SAVE') !== true) return undefined;
      return (session) => {
        selectedOf(session).saved = UidSet.empty;
        throw new RefusedError(unreadable('charset', failure.why));
      };
    },
  };
}

const allOfThem: ReadonlySet<SearchReturn> = new Set(['ALL']);

async function search(
  session: Session,
  { returns: given, key, hasCharset }: ReturnType<typeof expectSearchArguments>,
  tag: string,
  numbering: Numbering,
): Promise<Completion> {
  // Strings are UTF-8 for them, whatever they say (RFC 6855 §3).
  if (hasCharset && session.enabled.has('UTF8=ACCEPT')) throw new RefusedError(refusals.noCharset);
  // Clients of IMAP4rev2 expect ESEARCH however they ask (RFC 9051 §6.4.4).
  const returns = given ?? (session.isRev2 ? allOfThem : undefined);
  const selected = selectedOf(session);
  const { view } = selected;
  const asksModSeq = asksForModSeq(key);
  if (asksModSeq) useModSeqs(session);
  try {
    const uids = await matching(session, selected, [key]);
    const told = returns === undefined ? uids : concerned(uids, returns);
    const modSeq = asksModSeq && uids.size > 0 ? await highestModSeq(session, selected, told) : undefined;
    if (returns?.has('SAVE')) selected.saved = told;
    const found = { uids, view, numbering, modSeq };
    if (returns === undefined) await saySearch(session, found);
    else if (returns.size > 1 || !returns.has('SAVE')) await sayExtendedSearch(session, tag, returns, found);
  } catch (error) {
    if (returns?.has('SAVE')) selected.saved = UidSet.empty;
    throw error;
  }
  return completed(returns?.has('SAVE') ? 'searched, and the result is kept' : 'searched');
}

/** What an answer is about, and what is kept: the first and the last message where nothing else was asked for (RFC 5182 §2.4,
 *  RFC 7162 §3.1.10). */
function concerned(uids: UidSet, returns: ReadonlySet<SearchReturn>): UidSet {
  const isEndsOnly = !returns.has('ALL') && !returns.has('COUNT') && (returns.has('MIN') || returns.has('MAX'));
  const first = uids.ranges[0]?.first;
  const last = uids.ranges[uids.ranges.length - 1]?.last;
  if (!isEndsOnly || first === undefined || last === undefined) return uids;
  return UidSet.of([...(returns.has('MIN') ? [first] : []), ...(returns.has('MAX') ? [last] : [])]);
}
