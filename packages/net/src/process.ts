/**
 * What every daemon's process does alike: it starts, says that it is ready, reloads on SIGHUP, drains on SIGTERM, SIGINT
 * or the end of its parent, and ends. A second SIGTERM ends it at once. What nobody caught ends it too, with one line in
 * the log and exit code 70 (EX_SOFTWARE): a process whose state is unknown must not answer clients.
 */
import { execFile } from 'node:child_process';
import { errorText } from './errors.ts';
import { type Answer, isQuestion } from './inherited.ts';
import { limits } from './limits.ts';
import type { Log } from './log.ts';

/** A daemon that runs. */
export interface Running {
  /** Accepts no more, lets sessions end, closes everything; resolves when that is done. */
  drain(deadlineMs: number): Promise<void>;
  /** Reads configuration and keys again; keeps the old ones and throws where the new ones are wrong. */
  reload?(): Promise<void>;
  /** Answers the supervisor's question `about` something. */
  answer?(about: string, args: readonly string[]): Promise<unknown>;
  /** What the parent is told with the ready notice: where it listens. */
  readonly ready?: Readonly<Record<string, readonly string[]>>;
}

export interface ProcessOptions {
  readonly log: Log;
  readonly drainMs?: number;
  /**
   * For children of the supervisor: end when it does, and leave SIGINT to it, since a terminal sends that to all processes at once.
   */
  readonly endWithParent?: boolean;
  /** Says why the start failed, in place of the log's line, and gives the exit code; for commands that people start. */
  readonly startFailed?: (error: unknown) => number;
}

/** The ready notice on the IPC channel to a supervisor of ours. */
export interface ReadyNotice {
  readonly type: 'ready';
  readonly pid: number;
  readonly listening: Readonly<Record<string, readonly string[]>>;
}

export function isReadyNotice(message: unknown): message is ReadyNotice {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready';
}

/** On the same channel, in place of the ready notice: why the start failed. */
export interface FailedNotice {
  readonly type: 'failed';
  readonly problem: string;
}

export function isFailedNotice(message: unknown): message is FailedNotice {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'failed';
}

/** On the same channel: with which code the process is about to end, for a parent that sees it end otherwise. */
export interface EndingNotice {
  readonly type: 'ending';
  readonly code: number;
}

export function isEndingNotice(message: unknown): message is EndingNotice {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'ending';
}

const exitCode = { stopped: 0, failedStart: 69, bug: 70, configuration: 78 } as const;

/**
 * Runs a daemon until it is told to end; ends the process. `start` failing is logged and exits 69 (EX_UNAVAILABLE). `stopping` is
 * raised when the process is told to end: a start that may take long looks at it, and returns what it has by then.
 */
export async function runProcess(
  options: ProcessOptions,
  start: (stopping: AbortSignal) => Promise<Running>,
): Promise<void> {
  const { log } = options;
  diesOfBugs(log);
  const stopping = new AbortController();
  let stop: (why: string) => void = () => undefined;
  const stopped = new Promise<string>((resolve) => {
    stop = (why) => {
      resolve(why);
      stopping.abort();
    };
  });
  const signal = (name: NodeJS.Signals): void => {
    process.once(name, () => {
      stop(name);
      process.once(name, () => process.exit(exitCode.stopped));
    });
  };
  signal('SIGTERM');
  if (options.endWithParent === true) {
    process.on('SIGINT', () => undefined);
    watchParent(stop);
  } else signal('SIGINT');

  // What is asked for while starting is done then: the configuration may have been read before it changed.
  let reloadLater = false;
  let reload = async (): Promise<void> => {
    reloadLater = true;
  };
  process.on('SIGHUP', () => void reload());
  const running = await start(stopping.signal).catch((error: unknown) => failStart(options, error));
  reload = () => reloadOnce(log, running);
  if (reloadLater) void reload();
  answerQuestions(running);
  if (!stopping.signal.aborted) notifyReady(log, running);
  const why = await stopped;
  log.info('draining', { why });
  // As an assignment: the option of that name is younger than the command.
  notifySystemd(log, ['STOPPING=1']);
  await drain(running, log, options.drainMs ?? limits.drainMs);
  process.exit(exitCode.stopped);
}

/** Ends a process that may be too broken to end by itself: its supervisor is told the code first. */
export async function endWith(code: number): Promise<never> {
  await tellParent({ type: 'ending', code });
  process.exit(code);
}

/** Resolves when the notice is on its way; a process without supervisor tells nobody. */
async function tellParent(notice: FailedNotice | EndingNotice): Promise<void> {
  const { send } = process;
  if (send !== undefined) await new Promise<void>((told) => send.call(process, notice, () => told()));
}

async function failStart({ log, startFailed }: ProcessOptions, error: unknown): Promise<never> {
  if (startFailed === undefined) return refuseStart(log, error, exitCode.failedStart);
  await tellParent({ type: 'failed', problem: errorText(error) });
  process.exit(startFailed(error));
}

/** Ends a process that cannot read its configuration, before there is anything to run (EX_CONFIG). */
export function refuseConfiguration(log: Log, error: unknown): Promise<never> {
  return refuseStart(log, error, exitCode.configuration);
}

async function refuseStart(log: Log, error: unknown, code: number): Promise<never> {
  await tellParent({ type: 'failed', problem: errorText(error) });
  log.fatal('not started', {}, error);
  process.exit(code);
}

function answerQuestions(running: Running): void {
  process.on('message', (message: unknown) => {
    if (!isQuestion(message)) return;
    const { id, about, args } = message;
    const tell = (answer: Omit<Answer, 'type' | 'id'>): void => {
      // A supervisor that is gone needs no answer.
      process.send?.({ type: 'answer', id, ...answer } satisfies Answer, (error: Error | null) => void error);
    };
    Promise.resolve(running.answer?.(about, args)).then(
      (value) => tell({ value }),
      (error: unknown) => tell({ problem: errorText(error) }),
    );
  });
}

async function reloadOnce(log: Log, running: Running): Promise<void> {
  if (running.reload === undefined) return;
  try {
    await running.reload();
    log.info('reloaded');
  } catch (error) {
    log.error('not reloaded: the old configuration stays', {}, error);
  }
}

/** Sessions have `drainMs`; what closes behind them has as long again, and then the process ends all the same. */
async function drain(running: Running, log: Log, drainMs: number): Promise<void> {
  const timer = setTimeout(
    () => {
      log.error('not drained in time');
      process.exit(exitCode.bug);
    },
    drainMs * 2 + 1_000,
  );
  await running.drain(drainMs);
  clearTimeout(timer);
  log.info('stopped');
}

function diesOfBugs(log: Log): void {
  const die = (error: unknown): void => {
    log.fatal('a bug: nobody caught this', {}, error);
    process.exit(exitCode.bug);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}

/** The channel closes with the parent; without one, the parent's id changes. */
function watchParent(stop: (why: string) => void): void {
  if (process.connected) process.once('disconnect', () => stop('the parent closed its channel'));
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) stop('the parent ended');
  }, limits.parentCheckMs);
  timer.unref();
}

function notifyReady(log: Log, running: Running): void {
  const notice: ReadyNotice = { type: 'ready', pid: process.pid, listening: running.ready ?? {} };
  if (process.send !== undefined) process.send(notice, (error: Error | null) => void error);
  log.info('ready', { listening: Object.values(notice.listening).flat() });
  notifySystemd(log, ['--ready']);
}

/**
 * Tells systemd, where it asks to be told. Node has no datagram sockets of the Unix kind, so that systemd's own command
 * sends the notice; as that is another process, the unit needs `NotifyAccess=all` beside `Type=notify`. Where the command is
 * absent, a unit of `Type=exec` is the way.
 */
function notifySystemd(log: Log, args: readonly string[]): void {
  if (process.env.NOTIFY_SOCKET === undefined) return;
  execFile('systemd-notify', [...args, `--pid=${process.pid}`], { timeout: 5_000 }, (error) => {
    if (error !== null) log.warn('systemd was not told', { why: errorText(error) });
  });
}
