/**
 * The first steps of a repair, after which nothing is lost: files get their names back, flipped bits are turned back, and what a
 * backup of this heap holds is put in its place.
 */
import { SegmentSurvey } from '../../heap/survey.ts';
import type { FileSystem } from '../../sys/fs.ts';
import { brandNumber, type Lsn } from '../../types.ts';
import type { FindingState } from '../findings.ts';
import type { BadPlace } from '../read-through.ts';
import type { Look } from './look.ts';
import { SameOctets } from './same-octets.ts';
import { giveNames, misnamed } from './segment-names.ts';

/** What the repair gives to its first steps. */
export interface HeapWork {
  /** Nothing is changed. */
  readonly isDry: boolean;
  look(): Promise<Look>;
  step(state: FindingState, what: string, action: string): void;
}

/** Rounds of putting octets back: each makes room for the next look, which may see more. */
const roundsMax = 1_000;
const zero = brandNumber<Lsn>(0);

export class HeapMending {
  readonly #directory: string;
  readonly #fs: FileSystem;
  readonly #backup: SegmentSurvey | undefined;
  readonly #work: HeapWork;

  constructor(directory: string, fs: FileSystem, backup: SegmentSurvey | undefined, work: HeapWork) {
    this.#directory = directory;
    this.#fs = fs;
    this.#backup = backup;
    this.#work = work;
  }

  async names(): Promise<void> {
    const fs = this.#fs;
    const survey = await SegmentSurvey.open(fs, this.#directory);
    await survey.close();
    const wrong = await misnamed(fs, this.#directory, survey);
    for (const { number, holds } of wrong) {
      const what =
        number === 0 ? 'a file was set aside by a repair' : `the file of segment ${number} holds segment ${holds}`;
      this.#work.step('missingSegment', what, `it gets the name of segment ${holds}`);
    }
    if (!this.#work.isDry && wrong.length > 0) await giveNames(fs, this.#directory, wrong);
  }

  /** Headers first: without them nothing in their segments can be read, nor the heap opened when it is the newest's. */
  async headers(): Promise<void> {
    const fs = this.#fs;
    const survey = await SegmentSurvey.open(fs, this.#directory);
    try {
      const storeId = survey.segments.find(({ header }) => header !== undefined)?.header?.storeId;
      const mender = new SameOctets(fs, this.#directory, survey, this.#backup);
      for (const { number, header, fileBytes } of survey.segments) {
        const list = header === undefined ? undefined : await survey.headerWithoutFlip({ number, header, fileBytes });
        const isList = list !== undefined && !list.equals(await survey.octets(number, 0, list.length));
        if (header !== undefined && !isList) continue;
        const bad = badHeader(number, fileBytes);
        const id = storeId ?? this.#backup?.segments.find((one) => one.number === number)?.header?.storeId;
        const mending = await mender.find(bad, id ?? Buffer.alloc(16));
        if (mending === undefined) continue;
        this.#work.step('missingSegment', bad.text, mending.action);
        if (!this.#work.isDry) await mending.apply();
      }
    } finally {
      await survey.close();
    }
  }

  /** Puts back what can be, place by place; returns the places that a dry run would. */
  async octets(): Promise<ReadonlySet<string>> {
    const mended = new Set<string>();
    for (let round = 0; round < roundsMax; round++) {
      const look = await this.#work.look();
      let applied = 0;
      try {
        const survey = await SegmentSurvey.open(this.#fs, this.#directory);
        try {
          const mender = new SameOctets(this.#fs, this.#directory, survey, this.#backup);
          for (const bad of [...look.bad, ...look.tail]) {
            const key = placeKey(bad);
            const mending = mended.has(key) ? undefined : await mender.find(bad, look.opened.heap.storeId);
            if (mending === undefined) continue;
            mended.add(key);
            this.#work.step(bad.state, bad.text, mending.action);
            if (this.#work.isDry) continue;
            await mending.apply();
            applied++;
          }
        } finally {
          await survey.close();
        }
      } finally {
        await look.opened.close();
      }
      if (applied === 0) break;
    }
    return this.#work.isDry ? mended : new Set();
  }
}

/** Tells places apart. */
export function placeKey({ place }: BadPlace): string {
  return `${place.segment}:${place.offset}`;
}

function badHeader(segment: number, fileBytes: number): BadPlace {
  const place = { segment, offset: 0, lsn: zero, bytes: fileBytes, record: 'unreadable' };
  return {
    state: 'missingSegment',
    text: `segment ${segment}: its header is not what was written`,
    place,
    from: zero,
    to: zero,
  };
}
