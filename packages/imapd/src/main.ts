/**
 * The IMAP daemon's process: `node main.js --data DIR [--config FILE] [--socket=imap:FD:ADDRESS]…`. With sockets it is a supervisor's child and
 * ends with it; without, it listens where the configuration says.
 */
import { parseArgs } from 'node:util';
import { openLog, parseSocketArgument, runProcess, Siblings } from '@mstore/net';
import { loadConfig } from '@mstore/store';
import { Backing } from './backing.ts';
import { startImap } from './imapd.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: process.env.MSTORE_DATA ?? '.' },
    config: { type: 'string' },
    socket: { type: 'string', multiple: true },
  },
});
const directory = values.data;
const sockets = (values.socket ?? []).map(parseSocketArgument);
const { config } = await loadConfig(directory, values.config);
const log = openLog({ name: 'imapd', level: config.server.logLevel, bufferBytes: 4_096 });

await runProcess({ log, drainMs: config.server.drain * 1_000, endWithParent: sockets.length > 0 }, async () => {
  const backing = await Backing.open(directory, config);
  const siblings = Siblings.ofProcess();
  const daemon = await startImap({ directory, config, log, sockets, siblings }, backing);
  return {
    ...daemon,
    drain: async (deadlineMs) => {
      await daemon.drain(deadlineMs);
      await backing.close();
    },
  };
});
