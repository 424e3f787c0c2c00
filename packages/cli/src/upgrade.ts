/** `mstore upgrade` */
import { type StoreOptions, type UpgradeReport, undoUpgrade, upgrade } from '@mstore/store';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { exit } from './errors.ts';
import { counted, humanBytes } from './text.ts';

const manual = `
Brings a store that an earlier release wrote to today's format. Nothing may use it meanwhile (exit code 75). The heap stays as
it is: a new catalog is made from it, and takes the old one's place when it is complete and counts what that counted. Killed
before, the store is as it was, and the upgrade is begun again. A store of today's format is left alone.

--dry-run says what would be done and names damage; it changes nothing and may run beside the earlier release.
Damage in the heap ends an upgrade before it changes anything (exit code 1). With --despite-damage it is passed over; the log
then says that history was lost, and clients compare everything once.

--undo goes back, so that the earlier release can open the store again: until this release has written to it. To start and
stop the service is to write; to look (fsck, stats, df, dump, export) is not. From then on only a backup leads back.`;

interface Options {
  readonly dryRun?: boolean;
  readonly despiteDamage?: boolean;
  readonly undo?: boolean;
}

export function addUpgrade(program: Command): void {
  const command = program.command('upgrade').description("bring a store to today's format");
  command.option('--dry-run', 'only say what would be done');
  command.option('--despite-damage', 'pass over damage in the heap');
  command.option('--undo', 'go back, while nothing was written').addHelpText('after', manual);
  works<Options>(command, upgradeStore);
}

async function upgradeStore(
  run: Run,
  { dryRun = false, despiteDamage = false, undo = false }: Options,
): Promise<number> {
  const { config } = await run.config();
  const options: StoreOptions = { segmentBytes: config.heap.segmentBytes };
  if (undo) return goBack(run, options);
  const progress = run.progress(dryRun ? 'reading' : 'upgrading', 'octets');
  const onProgress = (done: number, total: number): void => progress.at(done, total);
  const report = await upgrade(run.directory, { ...options, dryRun, despiteDamage, onProgress }).finally(progress.stop);
  await run.answer({ ...report, dryRun }, damageLines(report) + verdict(report, dryRun, run.directory));
  return report.done || (dryRun && report.damage.length === 0) ? exit.done : exit.findings;
}

function damageLines({ damage }: UpgradeReport): string {
  const lines = damage.map(
    ({ kind, segment, offset, bytes }) => `segment ${segment}, offset ${offset}: ${kind}, ${counted(bytes, 'octet')}\n`,
  );
  return lines.join('');
}

function verdict(report: UpgradeReport, dryRun: boolean, directory: string): string {
  const { from, to, done, generation, previous, entries, messages, logBytes, neededBytes, freeBytes } = report;
  if (from === to) return `The store in ${directory} has format ${to} already.\n`;
  if (!done && !dryRun) return 'Nothing was changed, as the heap has damage; --despite-damage passes it over.\n';
  if (dryRun) {
    const free = freeBytes === undefined ? '' : `, of which ${humanBytes(freeBytes)} are free`;
    const room = `It reads ${humanBytes(logBytes)} of log and wants ${humanBytes(neededBytes)} on the disk${free}.\n`;
    return `An upgrade would bring the store in ${directory} from format ${from} to ${to}.\n${room}`;
  }
  const made = `The store in ${directory} has format ${to} now: ${counted(entries, 'message')} in mailboxes, ${counted(messages, 'distinct message')}.\n`;
  if (previous === undefined) return made;
  return `${made}The catalog before is kept in catalog/${previous}, the new one is catalog/${generation}: until this release has written to the
store, mstore upgrade --undo goes back. After that, catalog/${previous} may be removed.\n`;
}

async function goBack(run: Run, options: StoreOptions): Promise<number> {
  const report = await undoUpgrade(run.directory, options);
  const text =
    'refused' in report
      ? `There is no way back: ${report.refused}.\n`
      : `catalog/${report.generation} is in use again: the earlier release can open the store.\n`;
  await run.answer(report, text);
  return 'refused' in report ? exit.findings : exit.done;
}
