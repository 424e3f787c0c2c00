/** What `mstore serve` runs. */
import { writerProgram } from '@mstore/lda';
import { pop3Program } from '@mstore/pop3d';
import { limits } from './limits.ts';
import type { Program } from './program.ts';

/** The writer comes first: the others need it, and end before it. */
export const programs: readonly Program[] = [
  { name: 'writer', file: writerProgram, sockets: ['lmtp', 'lda'] },
  { name: 'pop3', file: pop3Program, sockets: ['pop3'], readyMs: limits.readyMs },
];
