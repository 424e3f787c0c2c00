/** What `mstore dump` says about a place in the heap: which segment, which record, and what the record means. */
import {
  brandNumber,
  decodeRecord,
  errorText,
  type HeapRecord,
  isStoreError,
  type LogRecord,
  type Lsn,
  recordType,
  type SegmentState,
  type StoreReading,
} from '@mstore/store';
import { CommandError, exit } from './errors.ts';
import type { Explained } from './explained.ts';
import { counted, humanTime, safeText, table } from './text.ts';

const linesMax = 40;
const textMax = 300;

/** `segment` undefined: `at` is an LSN, else an offset in that segment's file. */
export async function dumpPlace(reading: StoreReading, segment: number | undefined, at: number): Promise<Explained> {
  const segments = reading.heap.segments();
  const found = segments.find((one) =>
    segment === undefined ? at >= one.baseLsn && at < one.endLsn : one.number === segment,
  );
  if (found === undefined) {
    const what = segment === undefined ? `no segment holds LSN ${at}` : `there is no segment ${segment}`;
    throw new CommandError(exit.findings, `${what}; the log ends at LSN ${reading.heap.durableLsn}`);
  }
  const offset = segment === undefined ? at - found.baseLsn : at;
  if (offset >= found.endLsn - found.baseLsn) {
    throw new CommandError(
      exit.findings,
      `the log in segment ${found.number} ends at offset ${found.endLsn - found.baseLsn}`,
    );
  }
  if (offset < found.headerBytes) return describeSegment(found);
  const lsn = brandNumber<Lsn>(found.baseLsn + offset);
  const record = (await readAt(reading, lsn)) ?? (await recordAround(reading, found, lsn));
  return describeRecord(record, found, lsn);
}

async function readAt(reading: StoreReading, lsn: Lsn): Promise<HeapRecord | undefined> {
  if (lsn % 8 !== 0) return undefined;
  try {
    return await reading.heap.read(lsn);
  } catch (error) {
    if (isStoreError(error, 'corrupt')) return undefined;
    throw error;
  }
}

/** The record that holds an octet: found by going through its segment from the start. */
async function recordAround(reading: StoreReading, segment: SegmentState, lsn: Lsn): Promise<HeapRecord> {
  const damage: string[] = [];
  const from = brandNumber<Lsn>(segment.baseLsn + segment.headerBytes);
  const scanned = reading.heap.scan({
    from,
    to: brandNumber<Lsn>(lsn + 1),
    wantPayload: () => false,
    onDamage: (bad) => {
      if (bad.lsn <= lsn && lsn < bad.lsn + Math.max(bad.bytes, 8))
        damage.push(`${bad.kind}, ${counted(bad.bytes, 'octet')} from offset ${bad.offset}`);
    },
  });
  for await (const { location } of scanned) {
    if (location.lsn <= lsn && lsn < location.lsn + location.bytes)
      return reading.heap.read(location.lsn, location.bytes);
  }
  const why = damage[0] === undefined ? 'no record' : `damage: ${damage[0]}`;
  throw new CommandError(exit.findings, `segment ${segment.number}, LSN ${lsn}: ${why}`);
}

function describeSegment(segment: SegmentState): Explained {
  const text = `the header of segment ${segment.number}\n${table([
    ['base LSN', String(segment.baseLsn)],
    ['log ends at LSN', String(segment.endLsn)],
    ['octets of the file', String(segment.fileBytes)],
    ['octets of the header', String(segment.headerBytes)],
    ['epoch', String(segment.epoch)],
    ['predecessor', segment.predecessor === 0 ? 'none' : String(segment.predecessor)],
    [
      'highest numbers given',
      Object.entries(segment.highWater)
        .map(([key, value]) => `${key} ${value}`)
        .join(', '),
    ],
  ])}`;
  return { value: { kind: 'segment', ...segment }, text };
}

const typeNames: ReadonlyMap<number, string> = new Map(
  Object.entries(recordType).map(([name, number]) => [number, name.toUpperCase()]),
);

function describeRecord(record: HeapRecord, segment: SegmentState, asked: Lsn): Explained {
  const { lsn, bytes } = record.location;
  const name = typeNames.get(record.type) ?? `type ${record.type}`;
  const inside = lsn === asked ? '' : `LSN ${asked} lies ${counted(asked - lsn, 'octet')} into this record.\n`;
  const place = `${name} at LSN ${lsn}: segment ${segment.number}, offset ${lsn - segment.baseLsn}, ${counted(bytes, 'octet')}`;
  const common = { lsn, bytes, segment: segment.number, offset: lsn - segment.baseLsn };
  if (record.type === recordType.commit) {
    return {
      value: { kind: 'commit', ...common },
      text: `${inside}${place}\nIt ends a batch: what is before it counts.\n`,
    };
  }
  let decoded: LogRecord;
  try {
    decoded = decodeRecord(record);
  } catch (error) {
    throw new CommandError(exit.findings, `${place}: its octets are not what the format says: ${errorText(error)}`);
  }
  const value = plain({ ...common, ...decoded });
  return {
    value: { kind: decoded.type, ...value },
    text: `${inside}${place}\n${sentence(decoded)}\n${table(fields(decoded))}`,
  };
}

function sentence(record: LogRecord): string {
  switch (record.type) {
    case 'part':
      return `The content of a body part of ${counted(record.size, 'octet')}.`;
    case 'chunk':
      return `A piece of a large body part, from octet ${record.offset} on. It counts when a closing PART names it.`;
    case 'closing':
      return `The end of a large body part of ${counted(record.size, 'octet')} in ${counted(record.chunks.length, 'piece')}.`;
    case 'message':
      return `The content of message ${record.id}, once for all mailboxes it lies in.`;
    case 'entry':
      return `Message ${record.message} comes into mailbox ${record.mailbox} of account ${record.account} as UID ${record.uid}.`;
    case 'event':
      return `At ${humanTime(record.time)}, event ${record.sequence}: ${record.body.kind}.`;
    case 'restate':
      return `Said again by compaction: ${record.body.kind}.`;
  }
}

function fields(record: LogRecord): string[][] {
  const of = record.type === 'event' || record.type === 'restate' ? record.body : record;
  const rows = Object.entries(plain(of)).filter(([key]) => key !== 'type' && key !== 'kind');
  return rows.slice(0, linesMax).map(([key, value]) => [key, cell(value)]);
}

function cell(value: unknown): string {
  const text = safeText(typeof value === 'string' ? value : JSON.stringify(value));
  return text.length > textMax ? `${text.slice(0, textMax)}…` : text;
}

/** With octets as text: hashes in hexadecimal, trace lines as they read, content as its length. */
function plain(record: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, plainValue(key, value)]));
}

function plainValue(key: string, value: unknown): unknown {
  if (Buffer.isBuffer(value)) {
    if (key === 'sha') return value.toString('hex');
    return key === 'trace' ? value.toString() : `${value.length} octets`;
  }
  if (Array.isArray(value)) return value.map((one: unknown) => plainValue('', one));
  if (typeof value === 'object' && value !== null && 'ranges' in value) return value.ranges;
  return typeof value === 'object' && value !== null ? plain(value) : value;
}
