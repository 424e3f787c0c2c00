/**
 * A backup opened like a store, for reading: its log as far as the manifest has it, and a catalog made of its checkpoint and the log
 * behind, in a scratch folder. Nothing is written to the backup, and nobody who works on the store is concerned.
 */
import { Catalog } from '../../catalog/catalog.ts';
import type { EntryPlace } from '../../catalog/index-chunk.ts';
import { View } from '../../catalog/write-set.ts';
import { type Damage, Heap } from '../../heap/heap.ts';
import { openMessage, type StoredMessage } from '../../mail/assemble.ts';
import type { FileLock } from '../../sys/file-lock.ts';
import { brandNumber, type Lsn } from '../../types.ts';
import { heapPorts, machinePorts, type StorePorts } from '../../writer/store-directory.ts';
import type { FoundCheckpoint } from '../checkpoint/read.ts';
import { fillCatalog } from '../rebuild.ts';
import { keepFiles } from './folder.ts';
import { type BackupManifest, needManifest } from './manifest.ts';
import { backupView } from './view.ts';

export interface OpenBackupOptions {
  readonly ports?: StorePorts;
  /** A folder of the caller's that is empty, and removed afterwards: the catalog is made in it. */
  readonly scratch: string;
  /** Told of octets of log read so far, of so many. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface BackupReading {
  readonly manifest: BackupManifest;
  readonly heap: Heap;
  catalog(): Catalog;
  /** @throws {StoreError} corrupt */
  open(entry: EntryPlace): Promise<StoredMessage>;
  /** Damage that was met, and passed over. */
  readonly damage: readonly Damage[];
  /** Why the checkpoint was not used. */
  readonly passedOver: readonly string[];
  close(): Promise<void>;
}

/** @throws {StoreError} noBackup, corrupt when the manifest is damaged, newerFormat, diskFull in the scratch folder, ioError */
export async function openBackup(directory: string, options: OpenBackupOptions): Promise<BackupReading> {
  const ports = options.ports ?? machinePorts;
  const kept = await keepFiles(ports, directory);
  try {
    return await openKept(directory, ports, options, kept);
  } catch (error) {
    kept.release();
    throw error;
  }
}

async function openKept(
  directory: string,
  ports: StorePorts,
  options: OpenBackupOptions,
  kept: FileLock,
): Promise<BackupReading> {
  const manifest = await needManifest(ports.fs, directory);
  const fs = backupView(ports.fs, directory, manifest);
  const damage: Damage[] = [];
  const onDamage = (found: Damage): void => void damage.push(found);
  const heap = await Heap.openForReading({ ...heapPorts(ports), fs }, directory, { onDamage });
  try {
    let catalogs = 0;
    const { kv, passedOver } = await fillCatalog(heap, {
      fs,
      checkpoints: checkpointOf(directory, manifest),
      open: async () => ports.openKv(`${options.scratch}/${++catalogs}`, false),
      // The folder is the caller's to remove.
      discard: async () => undefined,
      onDamage,
      onProgress: options.onProgress,
    });
    const catalog = (): Catalog => new Catalog(new View(kv));
    return {
      manifest,
      heap,
      catalog,
      open: (entry) => openMessage(heap, catalog, entry),
      damage,
      passedOver,
      close: async () => {
        await kv.close();
        await heap.close();
        kept.release();
      },
    };
  } catch (error) {
    await heap.close();
    throw error;
  }
}

function checkpointOf(directory: string, { checkpoint }: BackupManifest): FoundCheckpoint[] {
  if (checkpoint === null) return [];
  return [{ path: `${directory}/checkpoint/${checkpoint.path}`, lsn: brandNumber<Lsn>(checkpoint.lsn) }];
}
