/**
 * The end of a rebuild: rows that follow from other rows, and rows that nothing needs. While the log was gone through, a name could be
 * held by two mailboxes at a time, and an account could come after its mailboxes; at the end there is one truth.
 */
import { Catalog } from '../catalog/catalog.ts';
import { kind } from '../catalog/keys.ts';
import type { KvRange, TableName } from '../catalog/kv.ts';
import { octetsCodec } from '../catalog/row-codecs.ts';
import {
  accountNameTable,
  accountTable,
  mailboxNameTable,
  mailboxTable,
  partTable,
  segmentTable,
} from '../catalog/schema.ts';
import type { Heap } from '../heap/heap.ts';
import type { References } from '../log/references.ts';
import { type AccountId, brandNumber, type Lsn, type MailboxId } from '../types.ts';

/** One pass over some rows, a bounded number at a time; `go` returns the key to go on from, undefined at the end. */
interface Step {
  start(): Buffer;
  go(refs: References, from: Buffer): Buffer | undefined;
}

/** Rows of a pass in one turn. */
const rowsPerTurn = 2_000;

const namesFrom = Buffer.of(kind.name);
const namesTo = Buffer.of(kind.name + 1);
const rowsFrom = Buffer.of(kind.row);
const rowsTo = Buffer.of(kind.row + 1);
const first = Buffer.alloc(0);

/** The passes, in order. */
export function lastSteps(heap: Heap): Step[] {
  return [
    removing('accounts', namesFrom, namesTo),
    removing('mailboxes', namesFrom, namesTo),
    { start: () => rowsFrom, go: (refs, from) => countersToZero(refs, from) },
    { start: () => rowsFrom, go: (refs, from) => namesAndCounts(refs, from) },
    { start: () => first, go: (refs, from) => dropUnnamedParts(refs, from, heap) },
    { start: () => first, go: (refs) => forgetDropped(refs, heap) },
  ];
}

/** The first keys of a range, and where the next ones begin. */
function some(refs: References, table: TableName, range: KvRange): { keys: Buffer[]; next: Buffer | undefined } {
  const keys = refs.view.keys(table, { ...range, limit: rowsPerTurn });
  const last = keys.at(-1);
  const isEnd = last === undefined || keys.length < rowsPerTurn;
  return { keys, next: isEnd ? undefined : Buffer.concat([last, Buffer.of(0)]) };
}

function removing(table: 'accounts' | 'mailboxes', from: Buffer, to: Buffer): Step {
  return {
    start: () => from,
    go: (refs, at) => {
      const { next } = some(refs, table, { from: at, to });
      refs.view.removeRange(table, { from: at, to: next ?? to }, octetsCodec);
      return next;
    },
  };
}

/** Accounts, with their names; what they count is added up next. */
function countersToZero(refs: References, from: Buffer): Buffer | undefined {
  const { keys, next } = some(refs, 'accounts', { from, to: rowsTo });
  for (const key of keys) {
    const id = brandNumber<AccountId>(key.readUInt32BE(1));
    const row = refs.view.edit(accountTable, id);
    if (row === undefined) continue;
    Object.assign(row, { messages: 0, bytes: 0, retainedMessages: 0, retainedBytes: 0, mailboxes: 0 });
    if (!row.deleted) refs.view.put(accountNameTable, id, row.name);
  }
  return next;
}

function namesAndCounts(refs: References, from: Buffer): Buffer | undefined {
  const { keys, next } = some(refs, 'mailboxes', { from, to: rowsTo });
  for (const key of keys) {
    const id = brandNumber<MailboxId>(key.readUInt32BE(1));
    const row = refs.view.read(mailboxTable, id);
    if (row === undefined) continue;
    if (!row.deleted) refs.view.put(mailboxNameTable, id, row.account, row.name);
    const account = refs.view.edit(accountTable, row.account);
    if (account === undefined) continue;
    account.retainedMessages += row.retainedMessages + (row.deleted ? row.messages : 0);
    account.retainedBytes += row.retainedBytes + (row.deleted ? row.bytes : 0);
    if (row.deleted) continue;
    account.mailboxes++;
    account.messages += row.messages;
    account.bytes += row.bytes;
  }
  return next;
}

/** A part that no message names, where its content may be gone any time or is: it is not to be named again. */
function dropUnnamedParts(refs: References, from: Buffer, heap: Heap): Buffer | undefined {
  const { keys, next } = some(refs, 'parts', { from, to: Buffer.alloc(33, 0xff) });
  for (const sha of keys) {
    const row = refs.view.read(partTable, sha);
    if (row === undefined || row.refs > 0) continue;
    const isThere = ({ lsn }: { readonly lsn: Lsn }): boolean => {
      const number = heap.segmentOf(lsn);
      return number !== undefined && (refs.view.read(segmentTable, number)?.retiredAt ?? 0) === 0;
    };
    if (!row.pieces.every(isThere)) refs.dropPart(sha, Number.MAX_SAFE_INTEGER);
  }
  return next;
}

/** Segments that were retired, and whose files are gone. */
function forgetDropped(refs: References, heap: Heap): undefined {
  // No header need list a retired one.
  const present = new Set([...heap.segments().map(({ number }) => number), ...heap.report.unlisted]);
  for (const [number, row] of [...new Catalog(refs.view).segments()]) {
    if (row.retiredAt > 0 && !present.has(number)) refs.view.remove(segmentTable, number);
  }
}
