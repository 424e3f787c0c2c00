/** `mstore user import` */
import { open } from 'node:fs/promises';
import type { ImportReport } from '@mstore/directory';
import { withReading } from './access.ts';
import type { Run } from './command.ts';
import { knownIds, withAdministration } from './directory.ts';
import { exit } from './errors.ts';
import { counted, humanCount, safeText } from './text.ts';
import { linesOf } from './text-lines.ts';

export const importManual = `
Each line of FILE ("-" is standard input), in UTF-8, is

    address password-or-{SCHEME}hash [quota]

with blanks or tabs between; the quota is octets, or a number with K, M, G or T. Lines that are empty or begin with # are
skipped. A user who exists gets the line's password, and its quota where it has one. Domains are added. A limit counts in the
store from the next delivery or IMAP login on.

A line that cannot be used is named and left out; the others are done (exit code 1). The same list may be imported again.

Hashes of other servers are kept as they are: {SCRYPT}, {BLF-CRYPT}, {SHA256-CRYPT}, {SHA512-CRYPT}, {CRYPT} of these,
{ARGON2ID}, {SSHA}, {SSHA256}, {SSHA512}. A password, plain or as {PLAIN}, is hashed, which takes a tenth of a second.`;

const chunkBytes = 262_144;

export function importUsers(run: Run): Promise<number> {
  const file = run.arg(0);
  return withReading(run, async (reading) => {
    const opened = file === '-' ? undefined : await open(file);
    const input: AsyncIterable<Buffer> = opened?.createReadStream({ highWaterMark: chunkBytes }) ?? process.stdin;
    const size = (await opened?.stat())?.size ?? 0;
    const progress = run.progress('importing', 'octets');
    let read = 0;
    async function* counting(): AsyncGenerator<Buffer> {
      for await (const octets of input) {
        read += octets.length;
        yield octets;
      }
    }
    const report = await withAdministration(run, (administration) =>
      administration.importUsers(linesOf(counting()), {
        ...knownIds(reading),
        tell: () => progress.at(read, Math.max(size, read)),
      }),
    ).finally(progress.stop);
    return answer(run, file, report);
  });
}

async function answer(run: Run, file: string, report: ImportReport): Promise<number> {
  const { added, updated, failed, problems } = report;
  if (!run.json) {
    for (const { line, problem } of problems) run.note(`${file}, line ${line}: ${safeText(problem)}`);
    if (failed > problems.length) run.note(`${file}: ${counted(failed - problems.length, 'more line')} left out`);
  }
  const left = failed === 0 ? '' : `, ${counted(failed, 'line')} left out`;
  await run.answer(report, `${counted(added, 'user')} added, ${humanCount(updated)} updated${left}.\n`);
  return failed === 0 ? exit.done : exit.findings;
}
