/** `mstore backup` and `mstore backup verify` */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { copyDirectoryFile, directoryPath } from '@mstore/directory';
import {
  backup,
  configPath,
  errnoOf,
  type FileToBackUp,
  isStore,
  machinePorts,
  parseBytes,
  StoreError,
  verifyBackup,
} from '@mstore/store';
import type { Command } from 'commander';
import { withWriter } from './access.ts';
import { type Run, works } from './command.ts';
import { CommandError, exit } from './errors.ts';
import { isThere } from './file-tree.ts';
import { withScratch } from './scratch.ts';
import { counted, humanBytes, humanTime } from './text.ts';

const manual = `
Copies the store to TO, a folder of its own, while it works: the log up to now, the catalog as a checkpoint, the directory of users
and mstore.toml. A backup into a folder that holds one copies only what is new, and replaces the old one when the new one is
whole; until then, and after an interruption, the old one stays good. Nobody waits for it. Everything is synced to the disk.

The exit code is 1 when the store has lost segments (an earlier backup's copy of one is kept); 73 when TO is a store or a
copy of its segments, or the backup of another one, or of another history of this one; 75 when another backup to TO is under way.`;

const verifyManual = `
Reads a backup and checks everything: each file's length and SHA-256, and that a store that is restored from it would be clean, as
"mstore fsck" checks it. That needs room for a catalog in the scratch folder. --quick checks lengths and SHA-256 alone. Each finding
is named; the exit code is 1 when there is one. Needs no store.`;

interface BackupOptions {
  readonly maxRate?: string;
}

interface VerifyOptions extends BackupOptions {
  readonly quick?: boolean;
  readonly scratch?: string;
}

export function addBackup(program: Command): void {
  const command = program
    .command('backup')
    .description('back the store up')
    .argument('<to>', 'the folder of the backup');
  command.option('--max-rate <octets>', 'octets copied in a second, as 20M').addHelpText('after', manual);
  works<BackupOptions>(command, backUp);
  const verify = command.command('verify').description('check a backup').argument('<dir>', 'the folder of the backup');
  verify.option('--quick', 'lengths and SHA-256 of files alone');
  verify.option('--max-rate <octets>', 'octets read in a second, as 20M');
  verify.option('--scratch <dir>', 'where a catalog is made for the check, and removed; default: the system’s');
  works<VerifyOptions>(verify.addHelpText('after', verifyManual), verifyOne);
}

async function backUp(run: Run, options: BackupOptions): Promise<number> {
  const { directory } = run;
  // A script's variable that is not set; it would name the working directory.
  if (run.arg(0) === '') throw new CommandError(exit.usage, 'the folder of the backup has no name');
  const target = resolve(run.arg(0));
  const rateBytes = rateOf(options.maxRate);
  if (!(await isStore(machinePorts.fs, directory))) throw new StoreError('noStore', `no store in ${directory}`);
  const progress = run.progress('backing up', 'octets');
  const onProgress = (done: number, total: number): void => progress.at(done, total);
  const report = await withWriter(run, ({ writer }) =>
    backup(directory, target, writer, { files: filesOf(directory), rateBytes, onProgress }),
  ).finally(progress.stop);
  for (const note of report.notes) run.note(note);
  for (const number of report.keptSegments) run.note(`the store lost segment ${number}; the backup keeps its copy`);
  for (const number of report.lostSegments)
    run.note(`the store lost segment ${number}, and the backup does not have it`);
  const { segments, bytes, writtenBytes, number } = report;
  const what = `${counted(segments, 'segment')}, ${humanBytes(bytes)} in all, ${humanBytes(writtenBytes)} new`;
  await run.answer(report, `Backup ${number} in ${target} is complete: ${what}.\n`);
  return report.lostSegments.length + report.keptSegments.length === 0 ? exit.done : exit.findings;
}

/** Octets a second; 0: no bound. @throws CommandError usage */
export function rateOf(text: string | undefined): number {
  const rate = text === undefined ? 0 : parseBytes(text);
  if (rate === undefined) throw new CommandError(exit.usage, `--max-rate ${text}: octets, as 20000000 or 20M`);
  return rate;
}

function filesOf(directory: string): FileToBackUp[] {
  return [
    { name: 'directory.sqlite', write: (path) => copyUsers(directoryPath(directory), path) },
    { name: 'mstore.toml', write: (path) => copyText(configPath(directory), path) },
  ];
}

async function copyUsers(from: string, to: string): Promise<boolean> {
  if (!(await isThere(from))) return false;
  await copyDirectoryFile(from, to);
  return true;
}

async function copyText(from: string, to: string): Promise<boolean> {
  try {
    await writeFile(to, await readFile(from), { mode: 0o600, flag: 'wx' });
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function verifyOne(run: Run, options: VerifyOptions): Promise<number> {
  const folder = resolve(run.arg(0));
  const progress = run.progress('reading', 'octets');
  const onProgress = (done: number, total: number): void => progress.at(done, total);
  const content = options.quick !== true;
  const rateBytes = rateOf(options.maxRate);
  const report = await withScratch(options.scratch, (scratch) =>
    verifyBackup(folder, { scratch, content, rateBytes, onProgress }),
  ).finally(progress.stop);
  const { findings, manifest, bytes, entries } = report;
  const lines = findings.map(({ area, text }) => `${area}: ${text}\n`).join('');
  const mail = content ? `, ${counted(entries, 'message')}` : '';
  const when = humanTime(Math.floor(manifest.time / 1000));
  const verdict = findings.length === 0 ? 'nothing is wrong' : counted(findings.length, 'finding');
  const text = `${lines}Backup ${manifest.number} of ${when}, ${humanBytes(bytes)}${mail}: ${verdict}.\n`;
  const { number, time, durableLsn, epoch } = manifest;
  await run.answer({ number, time, durableLsn, epoch, bytes, entries, findings, ok: findings.length === 0 }, text);
  return findings.length === 0 ? exit.done : exit.findings;
}
