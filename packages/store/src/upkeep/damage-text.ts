/** Damage of the heap in words, and as a kind of finding. */
import type { Damage, DamageKind } from '../heap/heap.ts';
import { recordType } from '../log/records.ts';
import type { FindingPlace, FindingState } from './findings.ts';

const states: Readonly<Record<DamageKind, FindingState>> = {
  missingSegment: 'missingSegment',
  segmentHeader: 'missingSegment',
  recordHead: 'corruptLog',
  payload: 'badChecksum',
  batch: 'corruptLog',
  lostEnd: 'lostTail',
};

const typeNames: ReadonlyMap<number, string> = new Map(
  Object.entries(recordType).map(([name, number]) => [number, name.toUpperCase()]),
);

/** `PART`, `MESSAGE` …; `record` for a type nobody knows. */
export function recordName(type: number): string {
  return typeNames.get(type) ?? 'record';
}

export function stateOfDamage({ kind }: Damage): FindingState {
  return states[kind];
}

export function placeOfDamage({ segment, offset, lsn, bytes, record }: Damage): FindingPlace {
  return { segment, offset, lsn, bytes, record: record === undefined ? 'unreadable' : recordName(record.type) };
}

export function textOfDamage(damage: Damage): string {
  const { kind, segment, offset, lsn, bytes, record } = damage;
  const place = `segment ${segment}, offset ${offset} (LSN ${lsn})`;
  switch (kind) {
    case 'missingSegment':
      return `segment ${segment} is listed and has no file`;
    case 'segmentHeader':
      return `segment ${segment}: its header is not what was written, so nothing in it can be read`;
    case 'recordHead':
      return `${place}: ${bytes} octets are no records`;
    case 'payload':
      return `${place}: the payload of a ${recordName(record?.type ?? 0)} of ${bytes} octets is not what was written`;
    case 'batch':
      return `${place}: a COMMIT that disagrees with its batch`;
    case 'lostEnd':
      return `${place}: the log ends here, and the catalog knew ${bytes} octets more of it`;
  }
}
