/**
 * A daemon's process: `node main.js --data DIR [--config FILE] [--socket=NAME:FD:ADDRESS]…`. With sockets it is a supervisor's child and ends
 * with it; without, it listens where the configuration says.
 */
import { parseArgs } from 'node:util';
import {
  type Clock,
  type InheritedSocket,
  type Log,
  openLog,
  parseSocketArgument,
  type Running,
  refuseConfiguration,
  runProcess,
  Siblings,
} from '@mstore/net';
import { type Config, loadConfig } from '@mstore/store';
import { Backing } from './backing.ts';
import { limits } from './limits.ts';

export interface DaemonOptions {
  /** The store's directory, which also holds the user directory. */
  readonly directory: string;
  readonly config: Config;
  readonly log: Log;
  /** Sockets that a supervisor bound; where there are none, the configuration says where to listen. */
  readonly sockets: readonly InheritedSocket[];
  readonly clock?: Clock;
  /** The other processes of this daemon; none unless given. */
  readonly siblings?: Siblings;
}

/** A daemon that runs. */
export interface RunningDaemon extends Running {
  /** Goes by what of a changed configuration counts at once; absent where nothing does. */
  readonly reconfigure?: (config: Config) => void;
}

/** Starts a daemon, listening everywhere or nowhere. */
export type StartDaemon = (options: DaemonOptions, backing: Backing) => Promise<RunningDaemon>;

/** The whole program of a daemon; `name` is for its log. */
export async function runDaemon(name: string, start: StartDaemon): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: process.env.MSTORE_DATA ?? '.' },
      config: { type: 'string' },
      socket: { type: 'string', multiple: true },
    },
  });
  const directory = values.data;
  const sockets = (values.socket ?? []).map(parseSocketArgument);
  const { config } = await loadConfig(directory, values.config).catch((error: unknown) =>
    refuseConfiguration(openLog({ name }), error),
  );
  const log = openLog({ name, level: config.server.logLevel, bufferBytes: limits.logBufferBytes });
  await runProcess({ log, drainMs: config.server.drain * 1_000, endWithParent: sockets.length > 0 }, async () => {
    const backing = await Backing.open(directory, config);
    const siblings = Siblings.ofProcess();
    const daemon = await start({ directory, config, log, sockets, siblings }, backing);
    const { reconfigure } = daemon;
    return {
      ...daemon,
      ...(reconfigure !== undefined && {
        reload: async () => reconfigure((await loadConfig(directory, values.config)).config),
      }),
      drain: async (deadlineMs) => {
        await daemon.drain(deadlineMs);
        await backing.close();
      },
    };
  });
}
