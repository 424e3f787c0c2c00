/** What `mstore serve` runs. */
import { availableParallelism } from 'node:os';
import { imapProgram } from '@mstore/imapd';
import { catalogFailedExit, writerProgram } from '@mstore/lda';
import { pop3Program } from '@mstore/pop3d';
import { limits } from './limits.ts';
import type { Program } from './program.ts';

/** The writer comes first: the others need it, and end before it. */
export const programs: readonly Program[] = [
  {
    name: 'writer',
    file: writerProgram,
    sockets: ['lmtp', 'lda'],
    // Who reads a page of the catalog that is not there, or that the device does not give, is killed by SIGBUS.
    argsAfter: new Map<number | NodeJS.Signals, readonly string[]>([
      [catalogFailedExit, ['--new-catalog']],
      ['SIGBUS', ['--new-catalog']],
    ]),
  },
  {
    name: 'pop3',
    file: pop3Program,
    sockets: ['pop3'],
    readyMs: limits.readyMs,
    workers: ({ pop3 }) => workers(pop3.workers),
  },
  {
    name: 'imap',
    file: imapProgram,
    sockets: ['imap'],
    readyMs: limits.readyMs,
    workers: ({ imap }) => workers(imap.workers),
  },
];

/** The configured number; 0 stands for one for each processor that the service may use but the writer's, up to a bound. */
function workers(configured: number): number {
  return configured > 0 ? configured : Math.max(1, Math.min(availableParallelism() - 1, limits.workersByProcessor));
}
