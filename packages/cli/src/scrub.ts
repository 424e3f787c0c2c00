/** `mstore scrub` */
import {
  machinePorts,
  parseBytes,
  type ScrubPass,
  type ScrubState,
  scrub,
  scrubState,
  storeOptions,
} from '@mstore/store';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { CommandError, exit } from './errors.ts';
import { findingLines } from './fsck.ts';
import { counted, humanBytes, humanTime } from './text.ts';

const manual = `
The writer reads the whole heap in the background, as [scrub] in mstore.toml says, and verifies every record and the SHA-256 of
every part and message. Without options this says how far it came, and what it and the last whole pass found: each bad place
with segment, offset and LSN, and the accounts, mailboxes and UIDs that need it. The exit code is 1 when there is a finding.

--now goes through the heap at once, on from where an interrupted pass stopped, beside a service or without one; --max-rate
keeps it to so many octets a second, as in 20M. Interrupted, it goes on from there the next time. Nothing is changed:
\`mstore fsck --repair\` does that.`;

interface ScrubCommandOptions {
  readonly now?: boolean;
  readonly maxRate?: string;
}

export function addScrub(program: Command): void {
  const command = program
    .command('scrub')
    .description('what reading through the heap found')
    .addHelpText('after', manual);
  command.option('--now', 'read through the heap now');
  command.option('--max-rate <octets>', 'octets a second, with --now');
  works<ScrubCommandOptions>(command, scrubStore);
}

async function scrubStore(run: Run, options: ScrubCommandOptions): Promise<number> {
  if (options.now === true) return scrubNow(run, rateOf(options.maxRate ?? '0'));
  if (options.maxRate !== undefined) throw new CommandError(exit.usage, '--max-rate goes with --now');
  const state = await scrubState(machinePorts.fs, run.directory);
  await run.answer({ ...state, ok: !hasFindings(state) }, describeState(state));
  return hasFindings(state) ? exit.findings : exit.done;
}

function rateOf(text: string): number {
  const rate = parseBytes(text);
  if (rate === undefined) throw new CommandError(exit.usage, `--max-rate ${text}: octets a second, as in 20M`);
  return rate;
}

async function scrubNow(run: Run, rateBytes: number): Promise<number> {
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const progress = run.progress('scrubbing', 'octets');
  try {
    const pass = await scrub(run.directory, {
      ...storeOptions((await run.config()).config),
      rateBytes,
      signal: stop.signal,
      onProgress: (done, total) => progress.at(done, total),
    });
    progress.stop();
    await run.answer({ ...pass, ok: pass.ended > 0 && pass.findings.length === 0 }, describePass(pass));
    if (pass.ended === 0) return exit.tryAgain;
    return pass.findings.length === 0 ? exit.done : exit.findings;
  } finally {
    progress.stop();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

function hasFindings({ current, last }: ScrubState): boolean {
  return (current?.findings.length ?? 0) + (last?.findings.length ?? 0) > 0;
}

function describeState({ current, last }: ScrubState): string {
  if (current === undefined && last === undefined) return 'No pass was begun yet.\n';
  return (last === undefined ? '' : describePass(last)) + (current === undefined ? '' : describePass(current));
}

function describePass({ begun, ended, readBytes, totalBytes, findings }: ScrubPass): string {
  const verdict = findings.length === 0 ? 'nothing is wrong' : counted(findings.length, 'finding');
  const far =
    ended === 0
      ? `begun ${humanTime(begun)}, ${humanBytes(readBytes)} of ${humanBytes(totalBytes)} read so far`
      : `begun ${humanTime(begun)}, ended ${humanTime(ended)}, ${humanBytes(readBytes)} read`;
  return `${findings.map(findingLines).join('')}Scrub ${far}: ${verdict}.\n`;
}
