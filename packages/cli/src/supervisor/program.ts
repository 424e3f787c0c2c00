/** A program that the supervisor keeps running, as data: what it is, which sockets it gets, how long its start may take. */

import type { Config } from '@mstore/store';

export interface Program {
  /** As in the log, in `ready.json` and in metrics: `writer`. */
  readonly name: string;
  /** What Node runs. */
  readonly file: string;
  /** The names of the listeners whose sockets it inherits. */
  readonly sockets: readonly string[];
  /** ms from its start to the ready notice; absent: as long as it takes, as recovery may. */
  readonly readyMs?: number;
  /** How many processes share the sockets; absent: one, which is not numbered. */
  readonly workers?: (config: Config) => number;
  /** Exit code or signal → what the next start is told in addition, until one became ready. */
  readonly argsAfter?: ReadonlyMap<number | NodeJS.Signals, readonly string[]>;
}
