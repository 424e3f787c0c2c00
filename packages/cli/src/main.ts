#!/usr/bin/env node
/** `mstore`: reads the command line, runs one command, and turns what it threw into one line and an exit code. */
import { type Command, CommanderError } from 'commander';
import { addAlias } from './alias.ts';
import { addBackup } from './backup.ts';
import { addCheckpoint } from './checkpoint.ts';
import { newProgram } from './command.ts';
import { addCompact } from './compact.ts';
import { addConfig } from './config.ts';
import { addDeliver } from './deliver.ts';
import { addDemo } from './demo.ts';
import { addDf } from './df.ts';
import { addDoctor } from './doctor.ts';
import { addDomain } from './domain.ts';
import { addDump } from './dump.ts';
import { exit, sayFailure } from './errors.ts';
import { addExport } from './export.ts';
import { addFsck } from './fsck.ts';
import { addImport } from './import.ts';
import { addInit } from './init.ts';
import { addKick } from './kick.ts';
import { OutputClosed } from './output.ts';
import { addPurge } from './purge.ts';
import { addQuota } from './quota.ts';
import { addRebuild } from './rebuild.ts';
import { addRestore } from './restore.ts';
import { addScrub } from './scrub.ts';
import { addServe } from './serve.ts';
import { addStats } from './stats.ts';
import { addUndelete } from './undelete.ts';
import { addUpgrade } from './upgrade.ts';
import { addPasswd, addUser } from './user.ts';
import { addWho } from './who.ts';

const commands: readonly ((program: Command) => void)[] = [
  addInit,
  addServe,
  addWho,
  addKick,
  addConfig,
  addUser,
  addPasswd,
  addQuota,
  addAlias,
  addDomain,
  addDeliver,
  addImport,
  addExport,
  addUndelete,
  addPurge,
  addStats,
  addDf,
  addFsck,
  addRebuild,
  addCompact,
  addCheckpoint,
  addBackup,
  addRestore,
  addScrub,
  addUpgrade,
  addDoctor,
  addDump,
  addDemo,
];

const program = newProgram();
for (const add of commands) add(program);
try {
  await program.parseAsync(process.argv);
} catch (error) {
  // Commander says 1 for wrong usage; deliver has a code of its own.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 1 ? exit.usage : error.exitCode;
  else if (!(error instanceof OutputClosed)) process.exitCode = sayFailure(error).exit;
}
// Whatever sends us octets may go on; we do not read them.
process.stdin.destroy();
