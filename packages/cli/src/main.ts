#!/usr/bin/env node
/** `mstore`: reads the command line, runs one command, and turns what it threw into one line and an exit code. */
import type { Command } from 'commander';
import { answerSignals } from './early-signals.ts';

// Behind an option with a value it is not looked for: another command must not end with 0 when it is told to end.
if (process.argv[2] === 'serve') answerSignals();
const { CommanderError } = await import('commander');
const { newProgram } = await import('./command.ts');
const { exit, sayFailure } = await import('./errors.ts');
const { OutputClosed } = await import('./output.ts');

type Add = (program: Command) => void;

/** The commands in the order of the help text. What a command needs is loaded when the command line has its name. */
const commands: Readonly<Record<string, () => Promise<Add>>> = {
  init: async () => (await import('./init.ts')).addInit,
  serve: async () => (await import('./serve.ts')).addServe,
  who: async () => (await import('./who.ts')).addWho,
  kick: async () => (await import('./kick.ts')).addKick,
  trace: async () => (await import('./trace.ts')).addTrace,
  config: async () => (await import('./config.ts')).addConfig,
  user: async () => (await import('./user.ts')).addUser,
  passwd: async () => (await import('./user.ts')).addPasswd,
  quota: async () => (await import('./quota.ts')).addQuota,
  alias: async () => (await import('./alias.ts')).addAlias,
  domain: async () => (await import('./domain.ts')).addDomain,
  deliver: async () => (await import('./deliver.ts')).addDeliver,
  import: async () => (await import('./import.ts')).addImport,
  export: async () => (await import('./export.ts')).addExport,
  undelete: async () => (await import('./undelete.ts')).addUndelete,
  purge: async () => (await import('./purge.ts')).addPurge,
  stats: async () => (await import('./stats.ts')).addStats,
  df: async () => (await import('./df.ts')).addDf,
  fsck: async () => (await import('./fsck.ts')).addFsck,
  rebuild: async () => (await import('./rebuild.ts')).addRebuild,
  compact: async () => (await import('./compact.ts')).addCompact,
  checkpoint: async () => (await import('./checkpoint.ts')).addCheckpoint,
  backup: async () => (await import('./backup.ts')).addBackup,
  restore: async () => (await import('./restore.ts')).addRestore,
  scrub: async () => (await import('./scrub.ts')).addScrub,
  upgrade: async () => (await import('./upgrade.ts')).addUpgrade,
  doctor: async () => (await import('./doctor.ts')).addDoctor,
  dump: async () => (await import('./dump.ts')).addDump,
  demo: async () => (await import('./demo.ts')).addDemo,
};

/** Adds the command that is meant, or that help is asked about; all of them where none is. */
async function addCommands(program: Command): Promise<void> {
  const words = program.parseOptions(process.argv.slice(2)).operands.slice(0, 2);
  const all = Object.entries(commands);
  const named = all.filter(([name]) => words.includes(name));
  const loaded = await Promise.all((named.length > 0 ? named : all).map(([, load]) => load()));
  for (const add of loaded) add(program);
}

try {
  const program = newProgram();
  await addCommands(program);
  await program.parseAsync(process.argv);
} catch (error) {
  // Commander says 1 for wrong usage; deliver has a code of its own.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 1 ? exit.usage : error.exitCode;
  else if (!(error instanceof OutputClosed)) process.exitCode = sayFailure(error).exit;
}
// Whatever sends us octets may go on; we do not read them.
process.stdin.destroy();
