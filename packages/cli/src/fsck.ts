/** `mstore fsck` */
import {
  type CheckReport,
  type Concerned,
  examine,
  type Finding,
  isStoreError,
  keepLog,
  machinePorts,
  type RepairStep,
  readFrom,
  refuseDeadly,
  repair,
  type StoreErrorCode,
  storeOptions,
} from '@mstore/store';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { CommandError, exit } from './errors.ts';
import { counted, safeText } from './text.ts';

const manual = `
Checks that every number and reference in the catalog is what counting gives, then reads every record of the heap and every
message's and part's content. Changes nothing; may run beside a writer, where it checks the store as it was at its start. Each
finding begins with its state and names what it is about; the exit code is 1 when there is one. --quick checks the catalog
alone. A store that is too damaged to be opened is checked as far as that goes.

--repair does for each finding what its state asks for, and prints it; --dry-run only prints it. A flipped bit is turned back;
with --from DIR the octets come from a backup; content is written once more where a copy of it lies elsewhere; a catalog that
contradicts itself is made again. A message that still cannot be read in part is replaced by the same message with a text in
the place of what is lost, under a new UID, with the keyword $Damaged and a header field X-Mstore-Damaged. What is taken out of
use is kept in lost+found. No writer may run (exit code 75). 0 when nothing is wrong afterwards, 1 when something is left.

States: danglingReference, orphan, wrongCount, badChecksum, lostTail, corruptLog, missingSegment, unlistedSegment, noCatalog;
docs/operations/recovery.md says what each means and what to do. Notes need nobody: a torn tail is what a crash leaves.`;

interface FsckOptions {
  readonly quick?: boolean;
  readonly repair?: boolean;
  readonly dryRun?: boolean;
  readonly from?: string;
}

/** A store that cannot be opened for one of these reasons is examined as it is. */
const damaged: ReadonlySet<StoreErrorCode> = new Set<StoreErrorCode>(['corrupt', 'lostLog', 'catalogMissing']);

export function addFsck(program: Command): void {
  const command = program.command('fsck').description('check the store');
  command.option('--quick', 'the catalog alone, without reading the heap').addHelpText('after', manual);
  command.option('--repair', 'repair what was found');
  command.option('--dry-run', 'with --repair: only say what would be done');
  command.option('--from <dir>', 'with --repair: a backup to take content from');
  works<FsckOptions>(command, fsck);
}

async function fsck(run: Run, options: FsckOptions): Promise<number> {
  if (options.repair === true) return repairStore(run, options);
  if (options.dryRun === true || options.from !== undefined) {
    throw new CommandError(exit.usage, '--dry-run and --from go with --repair');
  }
  const report = await checkStore(run, options.quick !== true);
  const { findings } = report;
  await run.answer({ ...report, ok: findings.length === 0 }, describe(report));
  return findings.length === 0 ? exit.done : exit.findings;
}

async function repairStore(run: Run, { from, dryRun = false, quick }: FsckOptions): Promise<number> {
  if (quick === true) throw new CommandError(exit.usage, '--repair reads everything: leave --quick out');
  const options = storeOptions((await run.config()).config);
  const said = (step: RepairStep): string => `${step.state}: ${safeText(step.what)}\n    ${safeText(step.action)}\n`;
  const report = await repair(run.directory, { ...options, dryRun, ...(from !== undefined && { from }) });
  const { findings, stepCount } = report;
  const steps = report.steps.map(said).join('');
  const left = dryRun ? '' : describeLeft(findings);
  const verdict = dryRun
    ? `${counted(stepCount, 'step')} would be taken; nothing was changed.\n`
    : `${counted(stepCount, 'step')} taken; ${findings.length === 0 ? 'nothing is wrong now' : counted(findings.length, 'finding is', 'findings are')}${findings.length === 0 ? '' : ' left'}.\n`;
  await run.answer({ ...report, ok: findings.length === 0 }, steps + left + verdict);
  return findings.length === 0 ? exit.done : exit.findings;
}

function describeLeft(findings: readonly Finding[]): string {
  return findings.map(findingLines).join('');
}

/** Checks the store, also one that cannot be opened. */
export async function checkStore(run: Run, content: boolean): Promise<CheckReport> {
  const options = storeOptions((await run.config()).config);
  // What the last writer left undone is finished first, where nobody writes.
  try {
    await refuseDeadly(machinePorts, run.directory);
    await (await readFrom(run.directory, options)).close();
  } catch (error) {
    if (!isStoreError(error) || !damaged.has(error.code)) throw error;
  }
  const progress = run.progress('checking', 'items');
  // Compaction goes on meanwhile; what the check is to read stays.
  const kept = await keepLog(run.directory);
  try {
    const onProgress = (done: number, total: number): void => progress.at(done, total);
    return await examine(run.directory, { ...options, content, onProgress });
  } finally {
    progress.stop();
    await kept?.release();
  }
}

/** The findings, and a line that says how much was looked at. */
export function describe(report: CheckReport): string {
  const { accounts, mailboxes, entries, messages, parts, findings, notes } = report;
  const lines = [...findings.map(findingLines), ...notes.map((note) => `note: ${note}\n`)].join('');
  const seen = [
    counted(accounts, 'account'),
    counted(mailboxes, 'mailbox', 'mailboxes'),
    counted(entries, 'message'),
    `${counted(messages, 'distinct message')} and ${counted(parts, 'part')}`,
  ].join(', ');
  const verdict = findings.length === 0 ? 'nothing is wrong' : counted(findings.length, 'finding');
  return `${lines}${seen}: ${verdict}.\n`;
}

/** A finding, and below it the mail that needs what is damaged. */
export function findingLines({ state, area, text, concerned = [] }: Finding): string {
  const where = area === 'heap' || area === 'open' ? '' : ` (${area})`;
  return `${state}${where}: ${text}\n${concerned.map(concernedLine).join('')}`;
}

function concernedLine({ accountName, mailboxName, uids }: Concerned): string {
  return `    ${safeText(accountName)}, ${safeText(mailboxName)}: UID ${uids}\n`;
}
