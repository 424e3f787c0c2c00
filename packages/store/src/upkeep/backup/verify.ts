/**
 * Verifying a backup: every file against its length and SHA-256, the checkpoint block by block, and then whether the store that would
 * come out of it is clean: its catalog is made in a scratch folder and checked with everything fsck knows, contents included.
 */
import { errorText, isStoreError } from '../../errors.ts';
import { segmentName } from '../../heap/survey.ts';
import { isFileThere } from '../../sys/files.ts';
import type { FileSystem } from '../../sys/fs.ts';
import { machinePorts, type StorePorts } from '../../writer/store-directory.ts';
import { check } from '../check.ts';
import { verifyCheckpoint } from '../checkpoint/read.ts';
import { placeOfDamage, stateOfDamage, textOfDamage } from '../damage-text.ts';
import { type Finding, Findings } from '../findings.ts';
import { Pace } from '../pace.ts';
import { hashRange } from './copy.ts';
import { keepFiles } from './folder.ts';
import { type BackupManifest, type BackupSegment, needManifest, segmentBytes } from './manifest.ts';
import { type OpenBackupOptions, openBackup } from './reading.ts';

export interface VerifyOptions extends OpenBackupOptions {
  /** False: lengths and checksums of files alone. Default true. */
  readonly content?: boolean;
  /** Octets read in a second; 0: as fast as it goes. */
  readonly rateBytes?: number;
}

export interface VerifyReport {
  readonly manifest: BackupManifest;
  /** Octets that belong to the backup. */
  readonly bytes: number;
  /** Messages in mailboxes; 0 when contents were not asked for. */
  readonly entries: number;
  readonly findings: readonly Finding[];
}

/** @throws {StoreError} noBackup, corrupt when the manifest is damaged, newerFormat, ioError, diskFull */
export async function verifyBackup(directory: string, options: VerifyOptions): Promise<VerifyReport> {
  const ports = options.ports ?? machinePorts;
  const kept = await keepFiles(ports, directory);
  try {
    return await verifyKept(directory, ports, options);
  } finally {
    kept.release();
  }
}

async function verifyKept(directory: string, ports: StorePorts, options: VerifyOptions): Promise<VerifyReport> {
  const manifest = await needManifest(ports.fs, directory);
  const findings = new Findings();
  const pace = new Pace({ clock: ports.clock, rateBytes: options.rateBytes ?? 0 });
  const files = new FileCheck(ports.fs, findings, pace);
  const total = manifest.segments.reduce((sum, segment) => sum + segmentBytes(segment), 0);
  let bytes = 0;
  for (const segment of manifest.segments) {
    await files.segment(directory, segment);
    bytes += segmentBytes(segment);
    options.onProgress?.(bytes, total);
  }
  const { checkpoint } = manifest;
  if (checkpoint !== null) {
    const path = `${directory}/checkpoint/${checkpoint.path}`;
    await files.whole(path, checkpoint);
    bytes += checkpoint.bytes;
    await checkCheckpoint(ports.fs, path, findings);
  }
  for (const file of manifest.files) {
    await files.whole(`${directory}/files/${file.path}`, file);
    bytes += file.bytes;
  }
  const entries = options.content === false ? 0 : await checkStore(directory, options, findings);
  return { manifest, bytes, entries, findings: findings.list };
}

async function checkCheckpoint(fs: FileSystem, path: string, findings: Findings): Promise<void> {
  try {
    await verifyCheckpoint(fs, path);
  } catch (error) {
    if (!isStoreError(error)) return;
    findings.add('backup', error.message, 'badChecksum');
  }
}

async function checkStore(directory: string, options: VerifyOptions, findings: Findings): Promise<number> {
  const opened = await openBackup(directory, options).catch((error: unknown) => {
    if (!isStoreError(error, 'corrupt') && !isStoreError(error, 'ioError')) throw error;
    findings.add('backup', `no store can be opened from it: ${errorText(error)}`, 'corruptLog');
    return undefined;
  });
  if (opened === undefined) return 0;
  try {
    for (const why of opened.passedOver) findings.add('backup', why, 'badChecksum');
    for (const damage of opened.damage) {
      findings.add('heap', textOfDamage(damage), stateOfDamage(damage), placeOfDamage(damage));
    }
    const report = await check(opened.catalog().view, opened.heap, {});
    for (const { area, text, state, place } of report.findings) findings.add(area, text, state, place);
    return report.entries;
  } finally {
    await opened.close();
  }
}

class FileCheck {
  readonly #fs: FileSystem;
  readonly #findings: Findings;
  readonly #pace: Pace;

  constructor(fs: FileSystem, findings: Findings, pace: Pace) {
    this.#fs = fs;
    this.#findings = findings;
    this.#pace = pace;
  }

  segment(directory: string, { number, pieces }: BackupSegment): Promise<void> {
    return this.#pieces(`${directory}/heap/${segmentName(number)}`, pieces);
  }

  whole(path: string, named: { readonly bytes: number; readonly sha256: string }): Promise<void> {
    return this.#pieces(path, [named]);
  }

  async #pieces(path: string, pieces: BackupSegment['pieces']): Promise<void> {
    if (!(await isFileThere(this.#fs, path))) {
      this.#findings.add('backup', `${path} is missing`, 'missingSegment');
      return;
    }
    const file = await this.#fs.open(path, 'read');
    try {
      let from = 0;
      for (const { bytes, sha256 } of pieces) {
        const to = from + bytes;
        const found = await hashRange(file, { from, to }, this.#pace);
        if (found === undefined) this.#findings.add('backup', `${path} ends before octet ${to}`, 'missingSegment');
        else if (found !== sha256) {
          this.#findings.add(
            'backup',
            `${path}: octets ${from} to ${to} are not those it was made with`,
            'badChecksum',
          );
        }
        from = to;
      }
    } finally {
      await file.close();
    }
  }
}
