/**
 * fsck: every invariant of `catalog/schema.ts`, in its order, then every record and every content hash in the heap.
 *
 * The catalog is read in one turn of the event loop, so from one snapshot; beside a running writer the heap may by then hold
 * more, which is not looked at. Memory grows with the number of messages and parts (about 200 octets each).
 */
import { createHash } from 'node:crypto';
import { Catalog } from '../catalog/catalog.ts';
import type { View } from '../catalog/write-set.ts';
import { errorText } from '../errors.ts';
import type { Damage, Heap } from '../heap/heap.ts';
import { openContent, readTrace } from '../mail/assemble.ts';
import type { Lsn } from '../types.ts';
import { checkCatalog, type Snapshot } from './check-catalog.ts';
import { countedOctets, countSegments } from './count-segments.ts';
import { placeOfDamage, stateOfDamage, textOfDamage } from './damage-text.ts';
import { type Finding, type FindingPlace, Findings } from './findings.ts';

export interface CheckOptions {
  /** False: the catalog alone, no heap octet. Default true. */
  readonly content?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
  /** Whether a bad place was passed over by a repair that made good what it held: a note then, and no finding. */
  readonly passedOver?: PassedOver;
}

export type PassedOver = (place: Pick<FindingPlace, 'segment' | 'offset' | 'bytes'>) => boolean;

export interface CheckReport {
  readonly accounts: number;
  readonly mailboxes: number;
  readonly entries: number;
  readonly messages: number;
  readonly parts: number;
  readonly findings: readonly Finding[];
  /** What is to be known and needs nobody. */
  readonly notes: readonly string[];
}

/** Looks at the log beside a busy writer, until one is as far as the catalog. */
const looksMax = 100;

/** Checks a store as the view shows it. Changes nothing. */
export async function check(view: View, heap: Heap, options: CheckOptions = {}): Promise<CheckReport> {
  const findings = new Findings();
  const notes = tailNotes(heap);
  const catalog = new Catalog(view);
  // Beside a writer the catalog may know more of the log than this heap has looked at. No await stands behind the last look.
  for (let look = 0; look < looksMax && (catalog.state()?.appliedLsn ?? 0) > heap.durableLsn; look++)
    await heap.refresh();
  const snapshot = checkCatalog(view, heap, findings);
  if (options.content !== false) {
    await checkSegments(heap, snapshot, findings, notes, options.passedOver ?? (() => false));
    await checkHeap(catalog, heap, snapshot, findings, options.onProgress);
  }
  const { accounts, mailboxes, entries, messages, parts } = snapshot;
  return {
    accounts,
    mailboxes,
    entries: entries.length,
    messages: messages.length,
    parts: parts.length,
    findings: findings.list,
    notes,
  };
}

/** What the end of the log looked like when the heap was opened. */
export function tailNotes(heap: Heap): string[] {
  const { voidBytes, unborn } = heap.report;
  const notes = unborn.map((number) => `segment ${number} was begun and never held a record`);
  const newest = heap.segments().at(-1);
  if (voidBytes > 0 && newest !== undefined) {
    const end = newest.endLsn - newest.baseLsn;
    notes.push(
      `torn tail: segment ${newest.number} has ${voidBytes} octets behind offset ${end} that are no whole batch; they were never confirmed to anybody`,
    );
  }
  return notes;
}

async function checkHeap(
  catalog: Catalog,
  heap: Heap,
  snapshot: Snapshot,
  findings: Findings,
  onProgress: CheckOptions['onProgress'],
): Promise<void> {
  const total = snapshot.entries.length + snapshot.messages.length + snapshot.parts.length;
  let done = 0;
  const step = (): void => {
    if (++done % 256 === 0) onProgress?.(done, total);
  };
  for (const entry of snapshot.entries) {
    try {
      const trace = await readTrace(heap, entry);
      const size = snapshot.messageSizes.get(entry.message);
      if (size !== undefined && size + trace.length !== entry.size) {
        findings.add('6', `${entry.name}: size is ${entry.size}, its octets are ${size + trace.length}`);
      }
    } catch (error) {
      findings.add('heap', `${entry.name}: ENTRY at ${entry.lsn}: ${errorText(error)}`, 'badChecksum');
    }
    step();
  }
  for (const { sha, pieces, size } of snapshot.parts) {
    await checkPart(heap, sha, pieces, size, findings);
    step();
  }
  for (const { id, sha } of snapshot.messages) {
    try {
      const hash = createHash('sha256');
      const message = await openContent(heap, () => catalog, id);
      for await (const octets of message.octets()) hash.update(octets);
      if (!hash.digest().equals(sha))
        findings.add('heap', `message ${id}: its octets are not those it was stored with`, 'badChecksum');
    } catch (error) {
      findings.add('heap', `message ${id}: ${errorText(error)}`, 'badChecksum');
    }
    step();
  }
  onProgress?.(total, total);
}

async function checkPart(
  heap: Heap,
  sha: Buffer,
  pieces: readonly { readonly lsn: Lsn; readonly bytes: number; readonly contentBytes: number }[],
  size: number,
  findings: Findings,
): Promise<void> {
  const name = `part ${sha.toString('hex')}`;
  const hash = createHash('sha256');
  let octets = 0;
  try {
    for (const piece of pieces) {
      const { payload } = await heap.read(piece.lsn, piece.bytes);
      if (piece.contentBytes === 0) continue;
      hash.update(payload);
      octets += payload.length;
    }
  } catch (error) {
    findings.add('heap', `${name}: ${errorText(error)}`, 'badChecksum');
    return;
  }
  findings.equal('13', `${name}: size`, size, octets);
  if (!hash.digest().equals(sha)) findings.add('heap', `${name}: its content has another SHA-256`, 'badChecksum');
}

/** Reads the whole log up to what the snapshot has applied: every crc, and each segment's account of its octets. */
async function checkSegments(
  heap: Heap,
  snapshot: Snapshot,
  findings: Findings,
  notes: string[],
  passedOver: PassedOver,
): Promise<void> {
  const onDamage = (damage: Damage): void => {
    if (passedOver(damage)) notes.push(`${textOfDamage(damage)}; a repair passed over it`);
    else findings.add('heap', textOfDamage(damage), stateOfDamage(damage), placeOfDamage(damage));
  };
  try {
    for (const { number, ...counted } of await countSegments(heap, snapshot, onDamage)) {
      const row = snapshot.segments.get(number);
      for (const key of countedOctets) {
        findings.equal('14', `segment ${number}: ${key} octets`, row?.[key] ?? 0, counted[key]);
      }
    }
  } catch (error) {
    findings.add('heap', errorText(error), 'corruptLog');
  }
}
