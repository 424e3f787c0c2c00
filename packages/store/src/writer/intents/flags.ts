/** STORE: which entries change, and to what, is decided here; the log holds results. */
import { Catalog, modSeqOf } from '../../catalog/catalog.ts';
import type { Entry } from '../../catalog/index-chunk.ts';
import { UidSet } from '../../codec/uid-set.ts';
import { StoreError } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { allFlags, type MailboxId } from '../../types.ts';
import type { Turn } from '../turn.ts';
import { liveMailbox } from './checks.ts';

export interface FlagsRequest {
  readonly mailbox: MailboxId;
  readonly uids: UidSet;
  readonly mode: 'add' | 'remove' | 'replace';
  readonly flags: number;
  readonly keywords: readonly string[];
  /** RFC 7162 §3.1.3: entries with a higher MODSEQ stay as they are. */
  readonly unchangedSince?: number;
  /** The MODSEQ up to which whoever asks knows all flags. */
  readonly knownModSeq?: number;
}

export interface FlagsAnswer {
  /** Entries whose flags are now other than before. */
  readonly changed: UidSet;
  /** Entries that UNCHANGEDSINCE kept from changing. */
  readonly modified: UidSet;
  /** Of those that are changed, the ones that had changed after `knownModSeq` before. */
  readonly surprising: UidSet;
  readonly sequence: number;
}

interface Group {
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly uids: number[];
}

export function decideFlags(turn: Turn, request: FlagsRequest): FlagsAnswer {
  const { row } = liveMailbox(turn, request.mailbox);
  if (request.mode !== 'remove') checkKeywords(turn, request.mailbox, request.keywords);
  const catalog = new Catalog(turn.view);
  const known = catalog.keywords(request.mailbox);
  const groups = new Map<string, Group>();
  const modified: number[] = [];
  const surprising: number[] = [];
  for (const entry of catalog.entries(request.mailbox, request.uids)) {
    if (request.unchangedSince !== undefined && modSeqOf(row, entry) > request.unchangedSince) {
      modified.push(entry.uid);
      continue;
    }
    const { flags, keywords } = result(entry, known, request);
    if (flags === entry.flags && sameKeywords(entry, known, keywords)) continue;
    const text = `${flags} ${keywords.join(' ')}`;
    let group = groups.get(text);
    if (group === undefined) {
      group = { flags, keywords, uids: [] };
      groups.set(text, group);
    }
    group.uids.push(entry.uid);
    if (modSeqOf(row, entry) > (request.knownModSeq ?? Number.MAX_SAFE_INTEGER)) surprising.push(entry.uid);
  }
  const kept = { modified: UidSet.of(modified), surprising: UidSet.of(surprising) };
  if (groups.size === 0) return { changed: UidSet.empty, ...kept, sequence: turn.sequence };
  const all = [...groups.values()];
  const sequence = turn.event({
    kind: 'flagsSet',
    mailbox: request.mailbox,
    groups: all.map((group) => ({ ...group, uids: UidSet.of(group.uids) })),
  });
  const changed = UidSet.of(all.flatMap((group) => group.uids));
  turn.changes.push({ kind: 'flags', sequence, account: row.account, mailbox: request.mailbox, uids: changed });
  return { changed, ...kept, sequence };
}

function result(
  entry: Entry,
  known: readonly string[],
  request: FlagsRequest,
): { flags: number; keywords: readonly string[] } {
  const words = entry.keywords.map((number) => known[number] ?? '');
  const lower = new Set(request.keywords.map((word) => word.toLowerCase()));
  const others = words.filter((word) => !lower.has(word.toLowerCase()));
  const asked = request.flags & allFlags;
  if (request.mode === 'replace') return { flags: asked, keywords: spelled(request.keywords, known) };
  if (request.mode === 'remove') return { flags: entry.flags & ~asked, keywords: others };
  return { flags: entry.flags | asked, keywords: spelled([...words, ...request.keywords], known) };
}

/** Each word once, spelled as the mailbox knows it, in an order that does not depend on the request's. */
function spelled(words: readonly string[], known: readonly string[]): string[] {
  const byLower = new Map<string, string>();
  for (const word of words) {
    const lower = word.toLowerCase();
    if (!byLower.has(lower)) byLower.set(lower, known.find((other) => other.toLowerCase() === lower) ?? word);
  }
  return [...byLower.values()].sort();
}

function sameKeywords(entry: Entry, known: readonly string[], keywords: readonly string[]): boolean {
  if (entry.keywords.length !== keywords.length) return false;
  const now = new Set(entry.keywords.map((number) => known[number]));
  return keywords.every((word) => now.has(word));
}

const atom = /^[^\u0000-\u0020\u007f-\uffff(){%*"\\\]]+$/;

/** @throws {StoreError} badName, limitExceeded */
export function checkKeywords(turn: Turn, mailbox: MailboxId, words: readonly string[]): void {
  if (words.length === 0) return;
  const known = new Set(new Catalog(turn.view).keywords(mailbox).map((word) => word.toLowerCase()));
  for (const word of words) {
    if (!atom.test(word) || Buffer.byteLength(word) > limits.keywordBytes) {
      throw new StoreError('badName', 'a keyword is an atom of up to 255 octets');
    }
    known.add(word.toLowerCase());
  }
  if (known.size > limits.keywords) {
    throw new StoreError('limitExceeded', `a mailbox has up to ${limits.keywords} keywords`);
  }
}
