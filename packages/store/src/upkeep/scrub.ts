/**
 * Scrub: reads the whole log at a limited rate, so that damage is found while a backup still holds what is damaged. One pass
 * goes from the start of the log to the end that it has when the pass begins.
 *
 * `lost+found/scrub.json` says how far a pass came and what it found, and what the last whole one found; it is written every
 * 64 MiB, so that a pass goes on there after a restart, and whoever asks what is known need not read the heap. Findings name
 * the mail concerned; that is looked up when some were found, once for all of them. `run/scrub.lock` keeps passes from each
 * other: a command's goes first, the background's waits.
 */
import { z } from 'zod';
import type { Catalog } from '../catalog/catalog.ts';
import { StoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Clock } from '../sys/clock.ts';
import { lockHolder } from '../sys/file-lock.ts';
import type { FileSystem } from '../sys/fs.ts';
import { brandNumber, type Lsn } from '../types.ts';
import { machinePorts, type StoreOptions } from '../writer/store-directory.ts';
import { concernedBy, needing } from './concerned.ts';
import { type Examined, openExamined } from './examine.ts';
import type { Finding } from './findings.ts';
import { readKept, removeKept, writeKept } from './kept-file.ts';
import { passOver, readPassedOver } from './passed-over.ts';
import { type BadPlace, readThrough } from './read-through.ts';

const lsn = z.number().transform((number) => brandNumber<Lsn>(number));
const concernedShape = z.object({
  account: z.number(),
  accountName: z.string(),
  mailbox: z.number(),
  mailboxName: z.string(),
  uids: z.string(),
});
const findingShape = z.object({
  area: z.string(),
  state: z.enum([
    'danglingReference',
    'orphan',
    'wrongCount',
    'badChecksum',
    'tornTail',
    'lostTail',
    'corruptLog',
    'missingSegment',
    'unlistedSegment',
    'noCatalog',
  ]),
  text: z.string(),
  place: z.object({ segment: z.number(), offset: z.number(), lsn, bytes: z.number(), record: z.string() }).optional(),
  concerned: z.array(concernedShape).optional(),
});
const passShape = z.object({
  /** Seconds since 1970. */
  begun: z.number(),
  /** 0 while it is under way. */
  ended: z.number(),
  /** Everything below was read. */
  position: z.number(),
  readBytes: z.number(),
  totalBytes: z.number(),
  findings: z.array(findingShape),
});
const stateShape = z.object({
  version: z.literal(1),
  storeId: z.string(),
  /** The pass under way, or that was interrupted. */
  current: passShape.optional(),
  /** The last whole one. */
  last: passShape.optional(),
});

/** One pass, or the part of it that is done. */
export interface ScrubPass {
  readonly begun: number;
  readonly ended: number;
  readonly position: number;
  readonly readBytes: number;
  readonly totalBytes: number;
  readonly findings: readonly Finding[];
}

/** What is known from passes. */
export interface ScrubState {
  readonly current?: ScrubPass;
  readonly last?: ScrubPass;
}

export interface ScrubOptions extends StoreOptions {
  /** Octets a second; 0: as fast as the device gives them. */
  readonly rateBytes?: number;
  readonly signal?: AbortSignal;
  /** The catalog as it is now, in a process that has it open already. */
  readonly catalog?: () => Catalog;
  /** Told of each finding, once it is known whom it concerns. */
  readonly onFinding?: (finding: Finding) => void;
  /** Octets of the log read, of so many. */
  readonly onProgress?: (done: number, total: number) => void;
}

const statePath = (directory: string): string => `${directory}/lost+found/scrub.json`;

/** Forgets what passes found: it was repaired, and the next pass begins anew. */
export function forgetScrub(fs: FileSystem, directory: string): Promise<void> {
  return removeKept(fs, statePath(directory));
}

/** What passes found so far. */
export async function scrubState(fs: FileSystem, directory: string): Promise<ScrubState> {
  const kept = await keptState(fs, directory);
  return {
    ...(kept?.current !== undefined && { current: passOf(kept.current) }),
    ...(kept?.last !== undefined && { last: passOf(kept.last) }),
  };
}

type KeptPass = z.infer<typeof passShape>;
type KeptState = z.infer<typeof stateShape>;

function keptState(fs: FileSystem, directory: string): Promise<KeptState | undefined> {
  return readKept(fs, statePath(directory), stateShape);
}

function passOf({ findings, ...pass }: KeptPass): ScrubPass {
  return {
    ...pass,
    findings: findings.map(({ place, concerned, ...finding }) => ({
      ...finding,
      ...(place !== undefined && { place }),
      ...(concerned !== undefined && { concerned }),
    })),
  };
}

/**
 * Goes on with the pass that was interrupted, else begins one; resolves at its end, or when `signal` ends it.
 * @throws {StoreError} locked when another pass runs; noStore, newerFormat, corrupt, ioError
 */
export async function scrub(directory: string, options: ScrubOptions = {}): Promise<ScrubPass> {
  const ports = options.ports ?? machinePorts;
  const path = `${directory}/run/scrub.lock`;
  await ports.fs.makeDirectory(`${directory}/run`);
  const lock = ports.lock(path);
  if (lock === undefined) {
    const holder = lockHolder(path);
    throw new StoreError(
      'locked',
      `a scrub runs in ${directory} already${holder === undefined ? '' : ` (pid ${holder})`}`,
    );
  }
  try {
    const opened = await openExamined(directory, options);
    try {
      return await new Scrub(directory, opened, options).run();
    } finally {
      await opened.close();
    }
  } finally {
    lock.release();
  }
}

class Scrub {
  readonly #directory: string;
  readonly #opened: Examined;
  readonly #options: ScrubOptions;
  readonly #fs: FileSystem;
  readonly #clock: Clock;
  readonly #storeId: string;
  /** Found since the last look-up. */
  #bad: BadPlace[] = [];
  #findings: Finding[] = [];
  #last: KeptPass | undefined;
  #begun = 0;
  #position: Lsn = brandNumber<Lsn>(0);
  #before = 0;
  #readBytes = 0;
  #notedBytes = 0;

  constructor(directory: string, opened: Examined, options: ScrubOptions) {
    const { fs, clock } = options.ports ?? machinePorts;
    this.#directory = directory;
    this.#opened = opened;
    this.#options = options;
    this.#fs = fs;
    this.#clock = clock;
    this.#storeId = opened.heap.storeId.toString('hex');
  }

  async run(): Promise<ScrubPass> {
    const { heap } = this.#opened;
    await this.#begin();
    const { signal, rateBytes = 0, onProgress } = this.#options;
    const passedOver = await readPassedOver(this.#fs, this.#directory);
    const total = this.#totalBytes;
    const whole = await readThrough(this.#opened, {
      from: this.#position,
      clock: this.#clock,
      rateBytes,
      ...(signal !== undefined && { signal }),
      onBad: (bad) => {
        if (!passedOver(bad.place)) this.#bad.push(bad);
      },
      onAdvance: (position, readBytes) => {
        this.#position = position;
        this.#readBytes = this.#before + readBytes;
        onProgress?.(this.#readBytes, total);
        const isDue = readBytes - this.#notedBytes >= limits.scrubNoteBytes;
        if (!isDue) return undefined;
        this.#notedBytes = readBytes;
        return this.#note();
      },
    });
    if (whole) {
      this.#position = heap.durableLsn;
      await this.#lookUp();
      const pass = this.#pass(Math.floor(this.#clock.now() / 1_000));
      await this.#write({ last: pass });
      await passOver(this.#fs, this.#directory, heap);
      return passOf(pass);
    }
    await this.#note();
    return passOf(this.#pass(0));
  }

  async #begin(): Promise<void> {
    const kept = await keptState(this.#fs, this.#directory);
    const isOurs = kept?.storeId === this.#storeId;
    this.#last = isOurs ? kept.last : undefined;
    const current = isOurs ? kept.current : undefined;
    this.#begun = current?.begun ?? Math.floor(this.#clock.now() / 1_000);
    // A log that ends before it is another one.
    if (current === undefined || current.position > this.#opened.heap.durableLsn) return;
    this.#position = brandNumber<Lsn>(current.position);
    this.#before = current.readBytes;
    this.#readBytes = current.readBytes;
    this.#findings = [...(passOf(current).findings ?? [])];
  }

  get #totalBytes(): number {
    return this.#opened.heap.segments().reduce((sum, { baseLsn, endLsn }) => sum + endLsn - baseLsn, 0);
  }

  async #note(): Promise<void> {
    await this.#lookUp();
    await this.#write({ current: this.#pass(0) });
  }

  /** Finds out whom what was found concerns. */
  async #lookUp(): Promise<void> {
    const bad = this.#bad.splice(0);
    if (bad.length === 0) return;
    const catalog = this.#opened.catalog;
    const found = await needing(
      () => {
        const now = catalog();
        if (now === undefined) throw new StoreError('catalogMissing', 'the catalog went away');
        return now;
      },
      bad,
      this.#clock,
    ).catch((error: unknown) => {
      if (catalog() === undefined) return undefined;
      throw error;
    });
    const now = catalog();
    const concerned = found === undefined || now === undefined ? [] : concernedBy(now, found, bad.length);
    for (const [index, { state, text, place }] of bad.entries()) {
      const finding = { area: 'heap', state, text, place, concerned: concerned[index] ?? [] };
      if (this.#findings.length < limits.scrubFindings) this.#findings.push(finding);
      this.#options.onFinding?.(finding);
    }
  }

  #pass(ended: number): KeptPass {
    return {
      begun: this.#begun,
      ended,
      position: this.#position,
      readBytes: this.#readBytes,
      totalBytes: this.#totalBytes,
      findings: this.#findings.map(({ concerned = [], ...finding }) => ({ ...finding, concerned: [...concerned] })),
    };
  }

  #write(change: Partial<KeptState>): Promise<void> {
    const last = this.#last;
    const state = { version: 1, storeId: this.#storeId, ...(last !== undefined && { last }), ...change };
    return writeKept(this.#fs, statePath(this.#directory), state);
  }
}
