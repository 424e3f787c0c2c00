/**
 * A store opened for looking at, however damaged: the log as far as it is believed, the catalog if there is one that can be read,
 * and what is wrong with opening it, as findings. Nothing is written; it may be beside a writer.
 */
import { Catalog } from '../catalog/catalog.ts';
import type { Kv } from '../catalog/kv.ts';
import { View } from '../catalog/write-set.ts';
import { errorText, invariant, isStoreError, StoreError } from '../errors.ts';
import { type Damage, Heap } from '../heap/heap.ts';
import { SegmentSurvey, type SurveyedSegment } from '../heap/survey.ts';
import type { FileSystem } from '../sys/fs.ts';
import { brandNumber, type Lsn } from '../types.ts';
import {
  heapPorts,
  isStore,
  machinePorts,
  openCatalog,
  refuseDeadly,
  type StoreOptions,
} from '../writer/store-directory.ts';
import { type CheckOptions, type CheckReport, check, tailNotes } from './check.ts';
import { concernedBy, needing } from './concerned.ts';
import type { Finding } from './findings.ts';
import { readPassedOver } from './passed-over.ts';
import { foreignSegments } from './unlisted.ts';

export interface Examined {
  readonly heap: Heap;
  /** As it is now; undefined where no catalog can be read. */
  catalog(): Catalog | undefined;
  /** Why the catalog cannot be used. */
  readonly catalogProblem: string | undefined;
  /** Damage in the newest segment, behind which the log is believed all the same. */
  readonly openDamage: readonly Damage[];
  /** Segments whose files no header lists, retired ones left out (`unlisted.ts`). @throws {StoreError} ioError */
  foreign(): Promise<number[]>;
  close(): Promise<void>;
}

/** @throws {StoreError} noStore, newerFormat, ioError; corrupt where the headers contradict one another */
export async function openExamined(
  directory: string,
  options: StoreOptions & { readonly catalog?: () => Catalog } = {},
): Promise<Examined> {
  const ports = options.ports ?? machinePorts;
  if (!(await isStore(ports.fs, directory))) throw new StoreError('noStore', `no store in ${directory}`);
  const openDamage: Damage[] = [];
  const onDamage = (damage: Damage): void => void openDamage.push(damage);
  const heap = await Heap.openForReading(heapPorts(ports), directory, { onDamage });
  const given = options.catalog;
  const { fs } = ports;
  if (given !== undefined) {
    const foreign = (): Promise<number[]> => foreignSegments({ fs, directory, heap, catalog: given() });
    return { heap, catalog: given, catalogProblem: undefined, openDamage, foreign, close: () => heap.close() };
  }
  let kv: Kv | undefined;
  let catalogProblem: string | undefined;
  try {
    await refuseDeadly(ports, directory);
    kv = await openCatalog(ports, directory, heap, true);
  } catch (error) {
    if (isStoreError(error, 'newerFormat')) {
      await heap.close();
      throw error;
    }
    catalogProblem = errorText(error);
  }
  const catalog = (): Catalog | undefined => {
    kv?.refresh();
    return kv === undefined ? undefined : new Catalog(new View(kv));
  };
  return {
    heap,
    catalog,
    catalogProblem,
    openDamage,
    foreign: () => foreignSegments({ fs, directory, heap, catalog: readable(catalog) }),
    close: async () => {
      await kv?.close();
      await heap.close();
    },
  };
}

/** Checks a store that may not be one that can be opened. @throws {StoreError} noStore, newerFormat, ioError */
export async function examine(directory: string, options: StoreOptions & CheckOptions = {}): Promise<CheckReport> {
  const { fs } = options.ports ?? machinePorts;
  const { misnamed, headless } = await segmentFiles(fs, directory);
  const opened = await openExamined(directory, options).catch(async (error: unknown) => {
    // Files are there, and no header of them checks.
    if (isStoreError(error, 'noStore') && (await isStore(fs, directory))) return error;
    if (!isStoreError(error, 'corrupt')) throw error;
    return error;
  });
  if (opened instanceof StoreError) {
    const text =
      opened.code === 'noStore' ? `no segment in ${directory}/heap has a header that checks` : opened.message;
    return onlyFindings([...misnamed, { area: 'open', state: 'corruptLog', text }]);
  }
  try {
    const passedOver = await readPassedOver(fs, directory);
    const report = await withConcerned(opened, await checkExamined(opened, { ...options, passedOver }), options);
    const foreign = await opened.foreign();
    const findings = [...misnamed, ...foreign.filter((number) => !headless.has(number)).map(unlistedFinding)];
    const unborn = foreign.filter((number) => headless.has(number));
    const notes = unborn.map((number) => `segment ${number} has a file without a header, and is listed nowhere`);
    return { ...report, findings: [...findings, ...report.findings], notes: [...report.notes, ...notes] };
  } finally {
    await opened.close();
  }
}

async function checkExamined(opened: Examined, options: CheckOptions): Promise<CheckReport> {
  const catalog = opened.catalog();
  if (catalog !== undefined) {
    try {
      return await check(catalog.view, opened.heap, options);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      return onlyFindings([noCatalog(errorText(error))], tailNotes(opened.heap));
    }
  }
  return onlyFindings([noCatalog(opened.catalogProblem ?? 'it is empty')], tailNotes(opened.heap));
}

/** Says of bad places whose mail needs them. */
async function withConcerned(opened: Examined, report: CheckReport, { ports }: StoreOptions): Promise<CheckReport> {
  const places = report.findings.flatMap(({ place }) => (place === undefined || place.bytes === 0 ? [] : [place]));
  const catalog = (): Catalog => {
    const now = opened.catalog();
    invariant(now !== undefined, 'a catalog that was checked is there');
    return now;
  };
  if (places.length === 0 || opened.catalog() === undefined) return report;
  const ranges = places.map(({ lsn, bytes }) => ({ from: lsn, to: brandNumber<Lsn>(lsn + bytes) }));
  try {
    const found = await needing(catalog, ranges, (ports ?? machinePorts).clock);
    const concerned = concernedBy(catalog(), found, places.length);
    const findings = report.findings.map((finding) => {
      const index = finding.place === undefined ? -1 : places.indexOf(finding.place);
      return index < 0 ? finding : { ...finding, concerned: concerned[index] ?? [] };
    });
    return { ...report, findings };
  } catch (error) {
    if (isUnreadable(error)) return report;
    throw error;
  }
}

/** The catalog, where its state can be read. */
export function readable(read: () => Catalog | undefined): Catalog | undefined {
  try {
    const catalog = read();
    return catalog?.state() === undefined ? undefined : catalog;
  } catch (error) {
    if (isUnreadable(error) || isStoreError(error)) return undefined;
    throw error;
  }
}

/** Rows that are not what was written, which the codecs and LMDB tell in their own words. */
export function isUnreadable(error: unknown): boolean {
  return error instanceof RangeError || (error instanceof Error && error.name === 'DecodeError');
}

function noCatalog(why: string): Finding {
  return { area: 'open', state: 'noCatalog', text: `the catalog cannot be used: ${why}` };
}

function onlyFindings(findings: readonly Finding[], notes: readonly string[] = []): CheckReport {
  return { accounts: 0, mailboxes: 0, entries: 0, messages: 0, parts: 0, findings, notes };
}

/** Files that hold a segment of another number, since they were swapped or renamed; and those without a header that checks. */
async function segmentFiles(
  fs: FileSystem,
  directory: string,
): Promise<{ readonly misnamed: readonly Finding[]; readonly headless: ReadonlySet<number> }> {
  const survey = await SegmentSurvey.open(fs, directory);
  await survey.close();
  const headless = survey.segments.filter(({ header }) => header === undefined).map(({ number }) => number);
  const misnamed = survey.segments.filter(({ number, header }) => header !== undefined && header.number !== number);
  return { misnamed: misnamed.map(misnamedFinding), headless: new Set(headless) };
}

function misnamedFinding({ number, header }: SurveyedSegment): Finding {
  const text = `the file of segment ${number} holds segment ${header?.number}`;
  return { area: 'heap', state: 'missingSegment', text };
}

/** A file that the newest header does not list. */
function unlistedFinding(number: number): Finding {
  const text = `segment ${number} has a file and is listed nowhere: an old one that came back`;
  return { area: 'heap', state: 'unlistedSegment', text };
}
