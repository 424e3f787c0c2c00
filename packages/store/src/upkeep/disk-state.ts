/** How the disk leaves a store now, told by looking from outside: beside a writer or without one. */
import { currentGeneration, isSuspect } from '../catalog/generations.ts';
import { Reserve } from '../writer/reserve.ts';
import { Room, type SpaceLevel } from '../writer/room.ts';
import { catalogDirectory, machinePorts, type StoreOptions } from '../writer/store-directory.ts';

export interface DiskState {
  /** What a writer takes with so much room: one that runs leaves a level a little later than it enters it. */
  readonly space: SpaceLevel;
  /** Octets free to the store, less what the reserve is short of; undefined where that cannot be told. */
  readonly freeBytes: number | undefined;
  readonly reserveBytes: number;
  readonly reserveWanted: number;
  /** The generation in use; undefined when none is named. */
  readonly catalog: number | undefined;
  /** The catalog's device failed: the next writer makes it again before it takes anything. */
  readonly isCatalogSuspect: boolean;
}

/** @throws {StoreError} ioError */
export async function diskState(directory: string, options: StoreOptions): Promise<DiskState> {
  const ports = options.ports ?? machinePorts;
  const reserve = new Reserve(ports.fs, directory, ports.random);
  await reserve.open();
  const ask = ports.space ?? (() => Promise.reject(new Error('this machine tells no space')));
  const room = new Room(() => ask(directory), ports.clock, options.space);
  room.reserve = { reserveBytes: () => reserve.bytes, release: () => undefined };
  await room.refresh();
  const catalogs = catalogDirectory(directory);
  const catalog = await currentGeneration(ports.fs, catalogs);
  return {
    space: room.level,
    freeBytes: room.freeBytes,
    reserveBytes: reserve.bytes,
    reserveWanted: room.reserveWanted,
    catalog,
    isCatalogSuspect: catalog !== undefined && (await isSuspect(ports.fs, catalogs, catalog)),
  };
}
