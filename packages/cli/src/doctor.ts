/** `mstore doctor` */
import { resolve } from 'node:path';
import { type DiskState, diskState, isStore, machinePorts, StoreError, storeOptions } from '@mstore/store';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { type Line, linesOfStore } from './doctor-store.ts';
import { CommandError, exit } from './errors.ts';
import { askService } from './supervisor/control-client.ts';
import { humanBytes } from './text.ts';

const manual = `
Says whether disk and processes are as they should be: room on the disk and what is refused for want of it, the reserve, a
device that fails, a catalog that has to be made again, parts of the service that do not run, segments that are not there,
what scrubs found, checkpoints, permissions. Quick, beside a service or
without one; "mstore fsck" is what reads the store. Each finding says what to do; exit code 1 when there is one.`;

export function addDoctor(program: Command): void {
  const command = program.command('doctor').description('say whether disk and processes are well');
  works(command.addHelpText('after', manual), doctor);
}

async function doctor(run: Run): Promise<number> {
  const directory = resolve(run.directory);
  const { config } = await run.config();
  if (!(await isStore(machinePorts.fs, directory))) throw new StoreError('noStore', `no store in ${directory}`);
  const disk = await diskState(directory, storeOptions(config));
  const programs = await programsOf(directory);
  const lines = [...linesOfDisk(disk), ...linesOfService(programs), ...(await linesOfStore(directory, config))];
  const findings = lines.filter(({ ok }) => !ok).map(({ area, text }) => ({ area, text }));
  const value = { ok: findings.length === 0, disk, programs: programs?.map(({ row }) => row) ?? null, findings };
  const said = lines.map(({ area, ok, text }) => `${ok ? 'ok' : '!!'}  ${area}: ${text}\n`);
  await run.answer(value, said.join(''));
  return findings.length === 0 ? exit.done : exit.findings;
}

function linesOfDisk(disk: DiskState): Line[] {
  const { space, freeBytes, reserveBytes, reserveWanted, catalog } = disk;
  const free = freeBytes === undefined ? 'unknown' : `${humanBytes(freeBytes)} free beside the reserve`;
  const what = {
    ok: free,
    noNewMail: `${free}: new mail is refused for now; free some space, or see "mstore df" for what can be purged`,
    readOnly: `${free}: every change is refused for now; free some space, or purge and compact, which may use the reserve`,
  };
  const held = `${humanBytes(reserveBytes)} of ${humanBytes(reserveWanted)}`;
  const isShort = reserveBytes < reserveWanted;
  const lines = [
    { area: 'space', ok: space === 'ok', text: what[space] },
    // A service makes it by itself while there is room.
    {
      area: 'reserve',
      ok: !isShort || space === 'ok',
      text: isShort ? `${held}, made again while there is room` : held,
    },
  ];
  if (catalog === undefined)
    return [...lines, { area: 'catalog', ok: false, text: 'none is named: run "mstore rebuild"' }];
  const suspect = `writing catalog ${catalog} failed, as catalog/SUSPECT.${catalog} says: look at the system log; the next writer makes it again`;
  return [
    ...lines,
    { area: 'catalog', ok: !disk.isCatalogSuspect, text: disk.isCatalogSuspect ? suspect : `${catalog} is in use` },
  ];
}

/** A program of the service, and what it says of itself. */
interface ProgramState {
  readonly row: object;
  readonly name: string;
  readonly down: string | undefined;
  /** False while the writer refuses changes because its device failed. */
  readonly takesChanges: boolean;
}

function linesOfService(programs: readonly ProgramState[] | undefined): Line[] {
  if (programs === undefined) return [{ area: 'service', ok: true, text: 'none runs here' }];
  const failing = 'the device failed: changes are refused and it is tried again; look at the system log';
  return programs.map(({ name, down, takesChanges }) => {
    if (down !== undefined) return { area: name, ok: false, text: `does not run (${down}); it is started again` };
    return { area: name, ok: takesChanges, text: takesChanges ? 'runs' : failing };
  });
}

/** Undefined when no service runs. */
async function programsOf(directory: string): Promise<ProgramState[] | undefined> {
  try {
    return (await askService(directory, { ask: 'health' })).rows.map(programOf);
  } catch (error) {
    if (error instanceof CommandError && error.exit === exit.unavailable) return undefined;
    throw error;
  }
}

function programOf(row: object): ProgramState {
  const fields = new Map<string, unknown>(Object.entries(row));
  const down = fields.get('down');
  const health = fields.get('health');
  const takesChanges = !(
    typeof health === 'object' &&
    health !== null &&
    'takesChanges' in health &&
    health.takesChanges === false
  );
  return {
    row,
    name: String(fields.get('program') ?? ''),
    down: typeof down === 'string' ? down : undefined,
    takesChanges,
  };
}
