/**
 * What makes a folder a backup: its manifest, a file of text with a checksum over it (docs/format/backup.md). It names every file
 * that belongs to the backup, how many octets of it, and their SHA-256. What it does not name does not belong to it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { errorText, StoreError } from '../../errors.ts';
import { readIfThere, replaceFile } from '../../sys/files.ts';
import type { FileSystem } from '../../sys/fs.ts';

const formatVersion = 1;
const manifestName = 'backup.manifest';
const restoresName = 'backup.restores';

/** A file that belongs to a backup: its name in its folder, its length, its SHA-256 in hexadecimal digits. */
interface NamedFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A file beside the store, under the name that it has there. */
export interface BackedUpFile extends NamedFile {
  readonly name: string;
}

export interface BackupSegment {
  readonly number: number;
  /** crc32 of the fixed part of its header: in another history of the store it is another. */
  readonly headerCrc: number;
  /** One after the other from the start of the file: what each backup added. */
  readonly pieces: readonly { readonly bytes: number; readonly sha256: string }[];
}

export interface BackupManifest {
  readonly format: number;
  /** The store's id in hexadecimal digits. */
  readonly store: string;
  /** Which backup in this folder, from 1. */
  readonly number: number;
  /** ms since 1970. */
  readonly time: number;
  /** The log is in it up to here. */
  readonly durableLsn: number;
  /** Of the last segment. */
  readonly epoch: number;
  readonly segments: readonly BackupSegment[];
  readonly checkpoint: (NamedFile & { readonly lsn: number }) | null;
  readonly files: readonly BackedUpFile[];
}

const whole = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const fileName = z.string().regex(/^[\w.-]{1,200}$/);
const file = z.object({ path: fileName, bytes: whole, sha256 });
const segment = z.object({
  number: whole,
  headerCrc: whole,
  pieces: z.array(z.object({ bytes: whole, sha256 })),
});

const shape: z.ZodType<BackupManifest> = z.object({
  format: whole,
  store: z.string().regex(/^[0-9a-f]{32}$/),
  number: whole,
  time: whole,
  durableLsn: whole,
  epoch: whole,
  segments: z.array(segment),
  checkpoint: file.extend({ lsn: whole }).nullable(),
  files: z.array(file.extend({ name: fileName })),
});

/** How many octets of a segment are in the backup. */
export function segmentBytes({ pieces }: BackupSegment): number {
  return pieces.reduce((sum, { bytes }) => sum + bytes, 0);
}

export const manifestPath = (directory: string): string => `${directory}/${manifestName}`;

/** Text of a value, and a last line with the SHA-256 of all lines before. */
export function encodeChecked(value: object): Buffer {
  const text = `${JSON.stringify(value, undefined, 1)}\n`;
  return Buffer.from(`${text}sha256 ${createHash('sha256').update(text).digest('hex')}\n`);
}

/** What such a file says. @throws {StoreError} corrupt, newerFormat */
function decodeChecked<T extends { readonly format: number }>(octets: Buffer, path: string, type: z.ZodType<T>): T {
  const text = octets.toString('utf8');
  const match = /^([\s\S]*\n)sha256 ([0-9a-f]{64})\n$/.exec(text);
  const sum = createHash('sha256')
    .update(match?.[1] ?? '')
    .digest('hex');
  if (match === null || match[2] !== sum) throw new StoreError('corrupt', `${path} is damaged: its checksum is wrong`);
  const value: unknown = JSON.parse(match[1] ?? '');
  const version = z.object({ format: whole }).safeParse(value);
  if (version.success && version.data.format > formatVersion) {
    const later = `${path} has format ${version.data.format}; this release reads up to ${formatVersion}`;
    throw new StoreError('newerFormat', later, { version: version.data.format });
  }
  const parsed = type.safeParse(value);
  if (!parsed.success) throw new StoreError('corrupt', `${path} is not what it should be: ${errorText(parsed.error)}`);
  return parsed.data;
}

/** The manifest; undefined where there is none. @throws {StoreError} corrupt, newerFormat */
export async function readManifest(fs: FileSystem, directory: string): Promise<BackupManifest | undefined> {
  const path = manifestPath(directory);
  const octets = await readIfThere(fs, path);
  return octets === undefined ? undefined : decodeChecked(octets, path, shape);
}

/** @throws {StoreError} noBackup where there is none, corrupt, newerFormat */
export async function needManifest(fs: FileSystem, directory: string): Promise<BackupManifest> {
  const manifest = await readManifest(fs, directory);
  if (manifest !== undefined) return manifest;
  throw new StoreError('noBackup', `no complete backup in ${directory}: ${manifestName} is not there`);
}

/** Makes the backup what it says; durable on return. */
export async function writeManifest(
  fs: FileSystem,
  directory: string,
  manifest: Omit<BackupManifest, 'format'>,
): Promise<void> {
  await replaceFile(fs, manifestPath(directory), encodeChecked({ format: formatVersion, ...manifest }));
}

const restoresShape = z.object({ format: whole, epoch: whole, seconds: whole });

/** A restore that was begun. */
export interface BegunRestore {
  /** How many epochs above the backup's the restored store's is: its numbers jump as many times. */
  readonly restores: number;
  readonly epoch: number;
  /** The time that it bears, seconds since 1970. */
  readonly seconds: number;
}

/**
 * Counts one more restore in the backup, durably. The restored store gets an epoch that none before had, and by that numbers that
 * clients did not see after an earlier restore of this backup. Times rise by a second at least, since the event sequence is made of
 * them. `epochAbove`: an epoch that the store reached elsewhere. @throws {StoreError} corrupt, ioError
 */
export async function countRestore(
  fs: FileSystem,
  directory: string,
  manifest: BackupManifest,
  { now, epochAbove = 0 }: { readonly now: number; readonly epochAbove?: number | undefined },
): Promise<BegunRestore> {
  const path = `${directory}/${restoresName}`;
  const octets = await readIfThere(fs, path);
  const before = octets === undefined ? { epoch: 0, seconds: 0 } : decodeChecked(octets, path, restoresShape);
  const epoch = Math.max(before.epoch, epochAbove, manifest.epoch) + 1;
  const seconds = Math.max(Math.floor(now / 1000), before.seconds + 1);
  await replaceFile(fs, path, encodeChecked({ format: formatVersion, epoch, seconds }));
  return { restores: epoch - manifest.epoch, epoch, seconds };
}
