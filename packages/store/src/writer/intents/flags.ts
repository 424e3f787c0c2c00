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
  const outcomes = new Outcomes(request, catalog.keywords(request.mailbox));
  const since = request.unchangedSince ?? Number.POSITIVE_INFINITY;
  const known = request.knownModSeq ?? Number.POSITIVE_INFINITY;
  const changed: number[] = [];
  const modified: number[] = [];
  const surprising: number[] = [];
  for (const entry of catalog.entries(request.mailbox, request.uids)) {
    const modSeq = modSeqOf(row, entry);
    if (modSeq > since) {
      modified.push(entry.uid);
      continue;
    }
    const group = outcomes.of(entry);
    if (group === undefined) continue;
    group.uids.push(entry.uid);
    changed.push(entry.uid);
    if (modSeq > known) surprising.push(entry.uid);
  }
  const kept = { modified: UidSet.of(modified), surprising: UidSet.of(surprising) };
  if (changed.length === 0) return { changed: UidSet.empty, ...kept, sequence: turn.sequence };
  const groups = outcomes.groups.map((group) => ({ ...group, uids: UidSet.of(group.uids) }));
  const sequence = turn.event({ kind: 'flagsSet', mailbox: request.mailbox, groups });
  const uids = UidSet.of(changed);
  turn.changes.push({ kind: 'flags', sequence, account: row.account, mailbox: request.mailbox, uids });
  return { changed: uids, ...kept, sequence };
}

/** What becomes of entries: those that bear the same become the same, so that it is found out once. */
class Outcomes {
  readonly #request: FlagsRequest;
  readonly #known: readonly string[];
  /** By what they come to bear, in the order in which they were met. */
  readonly #groups = new Map<string, Group>();
  /** By what entries bear now; undefined where nothing changes. */
  readonly #outcomes = new Map<number | string, Group | undefined>();

  constructor(request: FlagsRequest, known: readonly string[]) {
    this.#request = request;
    this.#known = known;
  }

  get groups(): readonly Group[] {
    return [...this.#groups.values()];
  }

  /** The group that the entry is to be put into; undefined when it stays as it is. */
  of(entry: Entry): Group | undefined {
    const { flags, keywords } = entry;
    const borne = keywords.length === 0 ? flags : `${flags} ${keywords.join(' ')}`;
    const group = this.#outcomes.get(borne);
    if (group !== undefined || this.#outcomes.has(borne)) return group;
    const found = this.#find(entry);
    this.#outcomes.set(borne, found);
    return found;
  }

  #find(entry: Entry): Group | undefined {
    const { flags, keywords } = result(entry, this.#known, this.#request);
    if (flags === entry.flags && sameKeywords(entry, this.#known, keywords)) return undefined;
    const text = `${flags} ${keywords.join(' ')}`;
    const group = this.#groups.get(text) ?? { flags, keywords, uids: [] };
    this.#groups.set(text, group);
    return group;
  }
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
