/** `mstore fsck` */
import { type CheckReport, check, isStoreError, type StoreErrorCode } from '@mstore/store';
import type { Command } from 'commander';
import { withReading } from './access.ts';
import { type Run, works } from './command.ts';
import { exit, failureOf } from './errors.ts';
import { counted } from './text.ts';

const manual = `
Checks that every number and reference in the catalog is what counting gives, then reads every record of the heap and every
message's and part's content. Changes nothing; may run beside a writer, where it checks the store as it was at its start. Each
finding names what it is about; the exit code is 1 when there is one. --quick checks the catalog alone.`;

interface FsckOptions {
  readonly quick?: boolean;
}

/** A store that cannot be opened for one of these reasons has a finding. */
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

/** Checks the store; one that is too damaged to be opened has that as its finding. */
export async function checkStore(run: Run, content: boolean): Promise<CheckReport> {
  return checkOpened(run, content).catch((error: unknown): CheckReport => {
    if (!isStoreError(error) || !damaged.has(error.code)) throw error;
    const findings = [{ area: 'open', text: failureOf(error).text }];
    return { accounts: 0, mailboxes: 0, entries: 0, messages: 0, parts: 0, findings };
  });
}

/** The findings, and a line that says how much was looked at. */
export function describe(report: CheckReport): string {
  const { accounts, mailboxes, entries, messages, parts, findings } = report;
  const lines = findings.map(({ area, text }) => `${area}: ${text}\n`).join('');
  const seen = [
    counted(accounts, 'account'),
    counted(mailboxes, 'mailbox', 'mailboxes'),
    counted(entries, 'message'),
    `${counted(messages, 'distinct message')} and ${counted(parts, 'part')}`,
  ].join(', ');
  const verdict = findings.length === 0 ? 'nothing is wrong' : counted(findings.length, 'finding');
  return `${lines}${seen}: ${verdict}.\n`;
}

function checkOpened(run: Run, content: boolean): Promise<CheckReport> {
  return withReading(run, async (reading) => {
    const progress = run.progress('checking', 'items');
    try {
      const onProgress = (done: number, total: number): void => progress.at(done, total);
      return await check(reading.catalog().view, reading.heap, { content, onProgress });
    } finally {
      progress.stop();
    }
  });
}
