/** `mstore compact` */
import { type CompactReport, parseBytes, type StoreWriter } from '@mstore/store';
import type { Command } from 'commander';
import { withWriter } from './access.ts';
import { type Run, works } from './command.ts';
import { CommandError, exit } from './errors.ts';
import { counted, humanBytes } from './text.ts';

const manual = `
Gives garbage in the heap back to the disk: what is still needed of segments with much garbage is written again, and their files go.
The store serves meanwhile. A run may be interrupted at any time, and begun again.

  --min-garbage R   segments with at least this share of garbage, 0 to 1 (compaction.garbage, 0.3)
  --max-rate B      octets of segments gone through per second at most, as 16M; 0 for no bound (compaction.rate, 32M)

Beside a running service the files go some five minutes after the run, so that readers are done with them. A segment in which damage
was found stays, and is named (exit code 1).`;

interface CompactOptions {
  readonly minGarbage?: string;
  readonly maxRate?: string;
}

export function addCompact(program: Command): void {
  const command = program
    .command('compact')
    .description('give garbage in the heap back to the disk')
    .option('--min-garbage <share>', 'the least share of garbage of a segment')
    .option('--max-rate <octets>', 'octets per second at most')
    .addHelpText('after', manual);
  works<CompactOptions>(command, compact);
}

async function compact(run: Run, options: CompactOptions): Promise<number> {
  const { compaction } = (await run.config()).config;
  const minGarbage = options.minGarbage === undefined ? compaction.garbage : shareOf(options.minGarbage);
  const maxRate = options.maxRate === undefined ? compaction.rate : rateOf(options.maxRate);
  const report = await withWriter(run, ({ writer }) => watched(run, writer, writer.compact({ minGarbage, maxRate })));
  await run.answer(report, describe(report));
  return report.kept.some(({ damaged }) => damaged) ? exit.findings : exit.done;
}

/** ms between two looks at how far it is. */
const lookMs = 250;

async function watched(run: Run, writer: StoreWriter, done: Promise<CompactReport>): Promise<CompactReport> {
  const progress = run.progress('compacting', 'octets');
  const timer = setInterval(() => {
    writer.compactProgress().then(
      (now) => now !== undefined && progress.at(now.doneBytes, now.totalBytes),
      () => undefined,
    );
  }, lookMs);
  try {
    return await done;
  } finally {
    clearInterval(timer);
    progress.stop();
  }
}

function describe({ segments, retiredBytes, writtenBytes, kept }: CompactReport): string {
  const lines = kept.map(({ segment, reason }) => `segment ${segment} stays: ${reason}\n`).join('');
  if (segments.length === 0) return `${lines}No segment was worth it.\n`;
  const freed = humanBytes(Math.max(0, retiredBytes - writtenBytes));
  return `${lines}${counted(segments.length, 'segment')} of ${humanBytes(retiredBytes)} went, ${humanBytes(writtenBytes)} of that was written again: ${freed} are free.\n`;
}

function shareOf(text: string): number {
  const share = Number(text);
  if (text.trim() !== '' && share >= 0 && share <= 1) return share;
  throw new CommandError(exit.usage, '--min-garbage is a share from 0 to 1, such as 0.3');
}

function rateOf(text: string): number {
  const rate = parseBytes(text.replace(/\/s$/, ''));
  if (rate !== undefined) return rate;
  throw new CommandError(exit.usage, '--max-rate is a number of octets per second, such as 16M');
}
