/** What a repair sees of a store before each step. Reads only. */
import type { Catalog } from '../../catalog/catalog.ts';
import { errorText } from '../../errors.ts';
import type { Heap } from '../../heap/heap.ts';
import { brandNumber, type Lsn } from '../../types.ts';
import { machinePorts, type StoreOptions } from '../../writer/store-directory.ts';
import { type CheckReport, check } from '../check.ts';
import { type Examined, isUnreadable, openExamined, readable } from '../examine.ts';
import type { Finding } from '../findings.ts';
import { readPassedOver } from '../passed-over.ts';
import { type BadPlace, readThrough } from '../read-through.ts';

export interface Look {
  readonly opened: Examined;
  /** Bad places, those passed over before left out. */
  readonly bad: readonly BadPlace[];
  /** Ends of the log that rows lead behind: the newest segment's, or one that a repair before went on behind. */
  readonly tail: readonly BadPlace[];
  /** Where the catalog thinks the log ends. */
  readonly applied: Lsn;
  /** The highest segment that the catalog or the heap knows. */
  readonly lastSegment: number;
  /** Why the catalog cannot be gone by. */
  readonly unsound: readonly Finding[];
  /** The epoch rose, and the event that says why did not come to be. */
  readonly interrupted: boolean;
}

const zero = brandNumber<Lsn>(0);
const endless = brandNumber<Lsn>(Number.MAX_SAFE_INTEGER);

/** The caller closes what it opened. @throws {StoreError} noStore, corrupt, newerFormat, ioError */
export async function lookAt(directory: string, options: StoreOptions): Promise<Look> {
  const { fs, clock } = options.ports ?? machinePorts;
  const opened = await openExamined(directory, options);
  try {
    const { heap } = opened;
    const passedOver = await readPassedOver(fs, directory);
    const bad: BadPlace[] = [];
    const onBad = (found: BadPlace): void => {
      if (!passedOver(found.place)) bad.push(found);
    };
    await readThrough({ catalog: () => usable(opened), heap }, { from: zero, clock, rateBytes: 0, onBad });
    const catalog = usable(opened);
    const applied = catalog?.state()?.appliedLsn ?? zero;
    const { unsound, isCut } = await judge(opened, catalog, bad, applied);
    const numbers = [...(catalog?.segments() ?? [])].map(([number]) => number);
    return {
      opened,
      bad,
      tail: [...(isCut ? gapsOf(heap) : []), ...endOf(heap, applied)],
      applied,
      lastSegment: Math.max(0, ...numbers),
      unsound,
      interrupted: heap.lastCommit !== undefined && heap.lastCommit.epoch < heap.epoch,
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** The catalog, where its state can be read. */
export function usable(opened: Examined): Catalog | undefined {
  return readable(() => opened.catalog());
}

/** What keeps the catalog from being gone by. Damage does not, where the catalog was past it before. */
async function judge(
  { heap, catalogProblem }: Examined,
  catalog: Catalog | undefined,
  bad: readonly BadPlace[],
  applied: Lsn,
): Promise<{ readonly unsound: readonly Finding[]; readonly isCut: boolean }> {
  const because = (text: string): Finding => ({ area: 'open', state: 'noCatalog', text });
  const useless = (text: string) => ({ unsound: [because(text)], isCut: false });
  if (catalog === undefined) return useless(catalogProblem ?? 'it cannot be read');
  let report: CheckReport;
  try {
    report = await check(catalog.view, heap, { content: false });
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return useless(errorText(error));
  }
  // Damage is mended, and segments are counted, without a new catalog.
  const ofRows = report.findings.filter(
    ({ area, state }) =>
      state !== 'missingSegment' && state !== 'lostTail' && (area !== '14' || state !== 'wrongCount'),
  );
  const behind = bad.find(({ to, damage }) => damage !== undefined && to > applied);
  const unsound =
    behind === undefined ? ofRows : [...ofRows, because(`it had not taken in what stood there: ${behind.text}`)];
  return { unsound, isCut: report.findings.some(({ state }) => state === 'missingSegment') };
}

/** The end of the log, where the catalog knows more of it than there is. */
function endOf(heap: Heap, applied: Lsn): BadPlace[] {
  const newest = heap.segments().at(-1);
  const end = heap.durableLsn;
  if (newest === undefined || applied <= end) return [];
  const offset = end - newest.baseLsn;
  const place = { segment: newest.number, offset, lsn: end, bytes: applied - end, record: 'unreadable' };
  const where = `LSN ${end} (segment ${newest.number}, offset ${offset})`;
  const text = `the log ends at ${where}, the catalog knows it up to ${applied}`;
  return [{ state: 'lostTail', text, place, from: end, to: endless }];
}

/** What lies between segments and in none, lost segments apart: rows lead there when the log went on behind a lost end. */
function gapsOf(heap: Heap): BadPlace[] {
  const segments = heap.segments();
  const lost = heap.lostSegments().map(({ damage }) => damage.segment);
  return segments.flatMap((segment, at) => {
    const next = segments[at + 1];
    if (next === undefined || lost.some((number) => number > segment.number && number < next.number)) return [];
    const { number, baseLsn, endLsn } = segment;
    const bytes = next.baseLsn - endLsn;
    const place = { segment: number, offset: endLsn - baseLsn, lsn: endLsn, bytes, record: 'unreadable' };
    const text = `rows of the catalog lead behind the end of segment ${number}`;
    return [{ state: 'lostTail', text, place, from: endLsn, to: next.baseLsn }];
  });
}
