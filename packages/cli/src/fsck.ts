/** `mstore fsck` */
import {
  type CheckReport,
  type Concerned,
  examine,
  type Finding,
  isStoreError,
  readFrom,
  type StoreErrorCode,
  storeOptions,
} from '@mstore/store';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { exit } from './errors.ts';
import { counted, safeText } from './text.ts';

const manual = `
Checks that every number and reference in the catalog is what counting gives, then reads every record of the heap and every
message's and part's content. Changes nothing; may run beside a writer, where it checks the store as it was at its start. Each
finding begins with its state and names what it is about; the exit code is 1 when there is one. --quick checks the catalog
alone. A store that is too damaged to be opened is checked as far as that goes.

States: danglingReference, orphan, wrongCount, badChecksum, lostTail, corruptLog, missingSegment, unlistedSegment, noCatalog;
docs/operations/recovery.md says what each means and what to do. Notes need nobody: a torn tail is what a crash leaves.`;

interface FsckOptions {
  readonly quick?: boolean;
}

/** A store that cannot be opened for one of these reasons is examined as it is. */
const damaged: ReadonlySet<StoreErrorCode> = new Set<StoreErrorCode>(['corrupt', 'lostLog', 'catalogMissing']);

export function addFsck(program: Command): void {
  const command = program.command('fsck').description('check the store');
  command.option('--quick', 'the catalog alone, without reading the heap').addHelpText('after', manual);
  works<FsckOptions>(command, fsck);
}

async function fsck(run: Run, options: FsckOptions): Promise<number> {
  const report = await checkStore(run, options.quick !== true);
  const { findings } = report;
  await run.answer({ ...report, ok: findings.length === 0 }, describe(report));
  return findings.length === 0 ? exit.done : exit.findings;
}

/** Checks the store, also one that cannot be opened. */
export async function checkStore(run: Run, content: boolean): Promise<CheckReport> {
  const options = storeOptions((await run.config()).config);
  // What the last writer left undone is finished first, where nobody writes.
  await readFrom(run.directory, options).then(
    (reading) => reading.close(),
    (error: unknown) => {
      if (!isStoreError(error) || !damaged.has(error.code)) throw error;
    },
  );
  const progress = run.progress('checking', 'items');
  try {
    const onProgress = (done: number, total: number): void => progress.at(done, total);
    return await examine(run.directory, { ...options, content, onProgress });
  } finally {
    progress.stop();
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
