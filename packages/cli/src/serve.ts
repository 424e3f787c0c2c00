/** `mstore serve` */
import { resolve } from 'node:path';
import { isatty } from 'node:tty';
import { DirectoryAdministration, directoryPath } from '@mstore/directory';
import { openLog, runProcess, systemClock } from '@mstore/net';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { checkThere } from './directory.ts';
import { passSignals } from './early-signals.ts';
import { sayFailure } from './errors.ts';
import { Checkpoints } from './supervisor/checkpoints.ts';
import { limits } from './supervisor/limits.ts';
import type { Program } from './supervisor/program.ts';
import { programs as ours } from './supervisor/programs.ts';
import { Settings } from './supervisor/settings.ts';
import { Supervisor } from './supervisor/supervisor.ts';

const manual = `
Serves the store: LMTP for mail servers, POP3 and IMAP for mail clients, in the foreground until it is told to stop. It opens what
the configuration lists under [listen]; where --listen is given, as often as needed, only that. NAME is lmtp, pop3, imap or
metrics (a page for Prometheus); ADDRESS is 127.0.0.1:PORT, [::1]:PORT or unix:PATH. Port 0 lets the system choose; a relative PATH is
below DIR. POP3 and IMAP open beyond this machine only where pop3.plaintextAnywhere or imap.plaintextAnywhere allows
it, as there is no TLS yet.

When everything listens, DIR/run/ready.json says where, and names the processes; with --json the same addresses are printed.
Logs are lines of JSON on standard error. A process that ends is started again; its connections wait or break, its addresses stay.

SIGTERM and SIGINT: no new sessions, those there are have server.drain seconds, then everything is closed; a second one
ends all at once. SIGHUP: the configuration is read again, or stays when the new one is wrong; the log says what waits for a
restart. On a terminal that is closed it stops.

Exit codes: 0 stopped; 69 an address is taken, or a part did not start; 75 another service runs in DIR; 66 no store; 72 its
directory of users is missing; 78 the configuration is wrong.`;

export interface ServeOptions {
  readonly config?: string;
  readonly listen?: readonly string[];
  /** Ports that are taken are replaced. */
  readonly anyPort?: boolean;
  /** What runs; ours unless given. */
  readonly programs?: readonly Program[];
  /** ms between two looks whether a checkpoint is due. */
  readonly checkpointLookMs?: number;
  /** Told where it listens, instead of the line for people. */
  readonly tell?: (listening: Readonly<Record<string, readonly string[]>>) => void;
}

export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('serve mail: LMTP in, POP3 and IMAP out')
    .addHelpText('after', manual);
  command.option('--config <file>', 'another configuration than DIR/mstore.toml');
  command.option('--listen <name=address>', 'open this and nothing else; may be repeated', gathered);
  works<ServeOptions>(command, serve);
}

function gathered(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Runs the service; ends the process. */
export async function serve(run: Run, options: ServeOptions): Promise<number> {
  const hasTerminal = isatty(2);
  const directory = resolve(run.directory);
  const configFile = options.config === undefined ? undefined : resolve(options.config);
  const settings = await Settings.load(directory, configFile, options.listen ?? []);
  const { config } = settings.loaded;
  await updateDirectory(run, config.delivery.detailSeparator);
  const log = openLog({ name: 'mstore', level: config.server.logLevel });
  const drainMs = config.server.drain * 1_000;
  const tell = options.tell ?? ((at: Addresses) => tellAddresses(run, at));
  // Children one after the other take twice what each may, and their own deadlines hold before ours does.
  const allMs = 2 * drainMs + limits.killGraceMs;
  const startFailed = (error: unknown): number => sayFailure(error).exit;
  await runProcess({ log, drainMs: allMs, startFailed }, async (stopping) => {
    passSignals();
    const { programs = ours } = options;
    const common = { directory, configFile, settings, programs, log, clock: systemClock, drainMs };
    const what = { ...common, listening: settings.listening, anyPort: options.anyPort ?? false, ready: tell };
    const supervisor = await Supervisor.start(what, stopping);
    const { checkpointLookMs: lookMs } = options;
    const checkpoints = new Checkpoints({ directory, log, ...(lookMs !== undefined && { lookMs }) });
    if (process.getuid?.() === 0) log.warn('running as root: give the service a user of its own');
    return {
      ready: supervisor.ready,
      drain: () => {
        checkpoints.stop();
        return supervisor.drain();
      },
      reload: async () => {
        // A terminal that goes away sends the same signal, and whoever sat there wants no service without it.
        if (hasTerminal && !isatty(2)) process.kill(process.pid, 'SIGTERM');
        else await supervisor.reload();
      },
    };
  });
  return 0;
}

type Addresses = Readonly<Record<string, readonly string[]>>;

/**
 * Brings the directory up to date, which the daemons only read. One that is missing is not made: an empty one would make every
 * recipient unknown, and mail servers would bounce what they have for them.
 */
async function updateDirectory(run: Run, detailSeparator: string): Promise<void> {
  await checkThere(run);
  await (await DirectoryAdministration.open(directoryPath(run.directory), { detailSeparator })).close();
}

function tellAddresses(run: Run, at: Addresses): void {
  if (run.json) process.stdout.write(`${JSON.stringify(at)}\n`);
  else if (process.stdout.isTTY) process.stdout.write(`${addressLine(at)} Ctrl-C stops it.\n`);
}

/** `Serving lmtp on 127.0.0.1:2424; pop3 on 127.0.0.1:2110.` */
export function addressLine(at: Addresses): string {
  const open = Object.entries(at).filter(([, addresses]) => addresses.length > 0);
  return `Serving ${open.map(([name, addresses]) => `${name} on ${addresses.join(', ')}`).join('; ')}.`;
}
