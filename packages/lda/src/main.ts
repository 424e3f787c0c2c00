#!/usr/bin/env node
/** `mstore-lda` without the native trampoline: standard streams and signals, and no other end than an exit code for mail servers. */
import { fstatSync, statSync, writeSync } from 'node:fs';
import { keep, type LdaAnswer, tryAgain } from './exit-codes.ts';
import { runLda } from './lda-program.ts';

// Whatever ends this process without an answer keeps the message with the mail server.
process.exitCode = tryAgain;

/** Signals that would end this process by themselves, as far as they can be caught. */
const deadly: readonly NodeJS.Signals[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTRAP',
  'SIGABRT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGTERM',
  'SIGSTKFLT',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGVTALRM',
  'SIGPROF',
  'SIGIO',
  'SIGPWR',
  'SIGSYS',
];

function end({ code, text }: LdaAnswer): never {
  if (code !== 0) {
    try {
      writeSync(2, `mstore-lda: ${text.replace(/[\p{Cc}\p{Cs}\u2028\u2029]+/gu, ' ')}\n`);
    } catch {
      // Nobody listens; the code says enough.
    }
  }
  process.exit(code);
}

/** Why there is no message; undefined where there may be one. Node would take any of this for an empty message. */
function whyNoMessage(): string | undefined {
  const input = fstatSync(0);
  if (input.isDirectory() || input.isBlockDevice()) return 'standard input is no message';
  // Node has opened this in place of a closed one.
  const isNull = input.isCharacterDevice() && input.rdev === statSync('/dev/null').rdev;
  return isNull ? 'standard input is closed or /dev/null: there is no message' : undefined;
}

process.on('uncaughtException', (error) => end(keep(`internal error: ${error.message}`)));
process.on('unhandledRejection', (error) => end(keep(`internal error: ${String(error)}`)));
for (const signal of deadly) process.on(signal, () => end(keep('ended by a signal')));

const why = whyNoMessage();
if (why !== undefined) end(keep(why));
end(await runLda({ args: process.argv.slice(2), data: process.env.MSTORE_DATA, octets: process.stdin }));
